// Shows every problem at its place: at the control, at the part of the rule, or at the rule.
import { steps } from "../contacts/condition_tree.js";

const within = (path, outer) => path.startsWith(outer) && /^([.[]|$)/.test(path.slice(outer.length));

export function blame(root, problems) {
  for (const line of root.querySelectorAll(".cq-problem")) Object.assign(line, { hidden: true, textContent: "" });
  for (const control of root.querySelectorAll("[aria-invalid]")) {
    control.removeAttribute("aria-invalid");
    control.removeAttribute("aria-describedby");
  }
  for (const card of root.querySelectorAll(".rs-is-wrong")) card.classList.remove("rs-is-wrong");
  const parts = [...root.querySelectorAll("[data-path]")];
  const elsewhere = [];
  for (const problem of problems) {
    const around = parts.filter(({ dataset: { path } }) => within(problem.path, path));
    const deepest = Math.max(...around.map(({ dataset: { path } }) => path.length));
    const places = around.filter(({ dataset: { path } }) => path.length === deepest);
    const place = places.find((each) => controlOf(each, problem)) ?? places.at(-1);
    if (place) say(place, problem);
    const plain = place ? null : root.querySelector(`[data-settings] [data-part="${steps(problem.path)[0] ?? ""}"]`);
    plain?.setAttribute("aria-invalid", "true");
    if (!place) elsewhere.push(problem);
  }
  return elsewhere;
}

function controlOf(place, { path }) {
  const inside = steps(path.slice(place.dataset.path.length));
  const key = inside[0] ?? steps(place.dataset.path).at(-1); // the part may be named by its own last step
  return [...place.querySelectorAll(`[data-part="${CSS.escape(key)}"]`)].find((each) => each.closest("[data-path]") === place);
}

function say(place, problem) {
  const control = controlOf(place, problem);
  const isUnfinished = control ? ["", "event."].includes(control.value) : problem.code === "missing_key";
  const line = [...place.children].find((child) => child.matches(".cq-problem"));
  const hint = isUnfinished ? "Not finished yet" : problem.message;
  line.hidden = false;
  line.textContent = line.textContent && line.textContent !== hint ? `${line.textContent}; ${hint}` : hint;
  line.classList.toggle("cq-soft", isUnfinished);
  place.closest(".rs-card")?.classList.toggle("rs-is-wrong", true);
  if (!control) return;
  control.setAttribute("aria-describedby", line.id);
  if (!isUnfinished) control.setAttribute("aria-invalid", "true");
}
