// The controls of a rule, each with its name, and the curve of how points fade.
import { button, el, icon, select } from "../contacts/condition_dom.js";
import { span } from "../contacts/condition_values.js";

const SVG = "http://www.w3.org/2000/svg";
let last = 0;

export function svg(name, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

// A part of a rule: what the server finds wrong below `path` is said at its end.
export function part(words, path, ...controls) {
  const id = `rs-part-${++last}`;
  return el("div", { class: "rs-part", role: "group", "aria-labelledby": id, "data-path": path },
    el("span", { class: "rs-label", id }, words), el("div", { class: "cq-line" }, ...controls),
    el("p", { class: "cq-problem", id: `${id}-problem`, hidden: true }));
}

export function input(label, value, set, attributes = {}) {
  const control = el("input", { type: "text", class: "cl-input", "aria-label": label, value: value ?? "", autocomplete: "off", ...attributes });
  control.addEventListener("input", () => set(control.value));
  return control;
}

// A number, or null where it may be left out.
export function number(label, value, set, attributes = {}) {
  return input(label, value, (typed) => set(typed === "" ? null : Number(typed)), { type: "number", step: "any", class: "cl-input cq-count rs-number", ...attributes });
}

// A number with a button on each side; change(value) is called with a number or null.
export function stepper(label, value, step, change, attributes = {}) {
  const control = number(label, value, change, { ...attributes, class: "cl-input rs-stepped" });
  const by = (amount) => {
    control.value = Math.round(((Number(control.value) || 0) + amount) * 1e6) / 1e6;
    change(Number(control.value));
  };
  const less = button(`${step} points fewer`, () => by(-step), { class: "rs-step", "data-part": "less" });
  const more = button(`${step} points more`, () => by(step), { class: "rs-step", "data-part": "more" });
  less.append(icon("remove"));
  more.append(icon("add"));
  return el("span", { class: "rs-stepper" }, less, control, more);
}

// A span of ISO 8601 in an object of its own: {key: "P14D"}; change(text) hears of it.
export function period(value, key, change) {
  const node = { [key]: value };
  return span({ changed: () => change(node[key] ?? "") }, node, key);
}

export function toggle(words, checked, change, attributes = {}) {
  const control = el("input", { type: "checkbox", checked, ...attributes });
  control.addEventListener("change", () => change(control.checked));
  return el("label", { class: "rs-toggle" }, control, el("span", {}, words));
}

export { select };

// The curve as the server drew it: {line, area, ends, said, readings}. Small ones stand in a line, large ones have ends.
export function curve(drawn, { isLarge = false, isNegative = false } = {}) {
  const tone = isNegative ? " rs-is-negative" : "";
  const image = svg("svg", {
    class: `rs-curve${isLarge ? " rs-curve-large" : ""}`, viewBox: "-1 -2 102 44", preserveAspectRatio: "none", role: "img",
    "aria-label": `The points ${drawn.said === "never fades" ? "never fade" : drawn.said}`,
  }, svg("path", { class: `rs-curve-area${tone}`, d: drawn.area }), svg("path", { class: `rs-curve-line${tone}`, d: drawn.line }));
  if (!isLarge) return image;
  const rows = drawn.readings.map(({ at, points, share }) => el("tr", {}, el("th", { scope: "row" }, at), el("td", { class: "cl-right" }, points), el("td", { class: "cl-right" }, `${Math.round(share * 100)} %`)));
  return el("figure", { class: "rs-figure" }, image,
    el("div", { class: "rs-axis", "aria-hidden": "true" }, el("span", {}, "fresh"), el("span", {}, drawn.ends)),
    el("table", { class: "rs-readings" }, el("caption", { class: "cl-hidden" }, "What one of them is worth"),
      el("thead", { class: "cl-hidden" }, el("tr", {}, ...["Age", "Points", "Share"].map((words) => el("th", { scope: "col" }, words)))),
      el("tbody", {}, ...rows)));
}
