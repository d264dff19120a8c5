// What a score says beside its rules: its threshold, groups, limits, and the scores that it adds.
import { button, el, icon, select } from "../contacts/condition_dom.js";
import { input, number, part, period, toggle } from "./rules_fields.js";

const shown = (value) => String(Math.round(value * 1e6) / 1e6);

export class Settings {
  constructor(box, state, { scores }) { Object.assign(this, { box, state, scores }); }

  write(key, value, { isShape = false, focus } = {}) {
    this.state.change((doc) => { doc[key] = value; }, { merge: isShape ? null : key, typed: !isShape });
    if (focus) this.box.querySelector(focus)?.focus();
  }

  draw() {
    const { doc } = this.state;
    const held = this.box.contains(document.activeElement) ? document.activeElement.dataset.held : null;
    this.box.replaceChildren(
      part("Title", "", input("Title", doc.title, (typed) => this.write("title", typed), { "data-part": "title", "data-held": "title", maxlength: 200, placeholder: "What people call it", class: "cl-input rs-wide" })),
      this.threshold(doc), this.rearm(doc), this.groups(doc), this.parts(doc),
      part("All in all", "", el("label", { class: "rs-inline" }, el("span", { class: "cq-word" }, "at most"), number("All in all at most", doc.cap, (value) => this.write("cap", value), { "data-part": "cap", "data-held": "cap", min: 0, placeholder: "no limit" }), el("span", { class: "cq-word" }, "points"))),
    );
    for (const each of this.box.querySelectorAll('[data-path=""]')) each.removeAttribute("data-path");
    if (held) this.box.querySelector(`[data-held="${CSS.escape(held)}"]`)?.focus();
  }

  threshold(doc) {
    const said = el("span", { class: "cq-word" });
    const say = () => { said.textContent = `so who was above it is below again under ${shown(this.state.doc.mql_threshold * (1 - this.state.doc.hysteresis))}`; };
    const falls = number("Falls below at so many per cent under the threshold", shown(doc.hysteresis * 100), (value) => { this.write("hysteresis", (value ?? 0) / 100); say(); }, { "data-part": "hysteresis", "data-held": "hysteresis", min: 0, max: 99 });
    const reached = number("Threshold", doc.mql_threshold, (value) => { this.write("mql_threshold", value); say(); }, { "data-part": "mql_threshold", "data-held": "mql_threshold", min: 0 });
    say();
    return el("div", { class: "rs-rows" },
      part("Threshold", "", reached, el("span", { class: "cq-word" }, "points: whoever reaches them crosses it")),
      part("Falls below", "", falls, el("span", { class: "cq-word" }, "% under it,"), said));
  }

  rearm(doc) {
    const line = [toggle("After a crossing, rest for", Boolean(doc.rearm_after), (on) => this.write("rearm_after", on ? "P7D" : "", { isShape: true, focus: "[data-part=rearm]" }), { "data-part": "rearm", "data-held": "rearm" })];
    if (doc.rearm_after) line.push(...period(doc.rearm_after, "rearm_after", (text) => this.write("rearm_after", text)));
    return part("Rest", "", ...line);
  }

  groups(doc) {
    const rows = doc.groups.map((group, at) => {
      const change = (key, value) => this.state.change((now) => {
        if (key === "name") for (const rule of now.rules) if (rule.group && rule.group === now.groups[at].name) rule.group = value;
        now.groups[at][key] = value;
      }, { merge: `groups.${at}.${key}`, typed: true });
      const gone = button(`Remove the group ${group.name}`, () => this.state.change((now) => {
        const [{ name }] = now.groups.splice(at, 1);
        for (const rule of now.rules) if (rule.group === name) rule.group = "";
      }), { class: "cq-act" });
      gone.append(icon("close"));
      return el("div", { class: "rs-row", "data-path": `groups[${at}]` }, el("div", { class: "cq-line" },
        input("Name of the group", group.name, (typed) => change("name", typed), { "data-part": "name", "data-held": `group-${at}`, placeholder: "Name of the group", class: "cl-input cq-combo" }),
        el("span", { class: "cq-word" }, "at most"), number("At most so many points together", group.cap, (value) => change("cap", value), { "data-part": "cap", min: 0 }), el("span", { class: "cq-word" }, "points"), gone),
      el("p", { class: "cq-problem", hidden: true, id: `rs-group-${at}` }));
    });
    const add = el("button", { type: "button", class: "cl-button cl-small rs-start", "data-part": "add-group" }, icon("add"), "Add a group");
    add.addEventListener("click", () => {
      this.state.change((now) => now.groups.push({ name: "", cap: 40 }));
      this.box.querySelector(`[data-held="group-${this.state.doc.groups.length - 1}"]`).focus();
    });
    return el("div", { class: "rs-part" }, el("span", { class: "rs-label" }, "Groups"), el("p", { class: "cl-faint rs-hint" }, "Rules of a group together give no more than it says."), ...rows, add);
  }

  parts(doc) {
    const used = Object.keys(doc.parts);
    const set = (parts, more) => this.write("parts", parts, more);
    const rows = used.map((name) => {
      const gone = button(`Do not add ${name}`, () => set(Object.fromEntries(Object.entries(doc.parts).filter(([key]) => key !== name)), { isShape: true, focus: "[data-part=add-part]" }), { class: "cq-act" });
      gone.append(icon("close"));
      return el("div", { class: "rs-row", "data-path": `parts.${name}` }, el("div", { class: "cq-line" }, el("b", {}, name), el("span", { class: "cq-word" }, "times"),
        number(`Weight of ${name}`, doc.parts[name], (value) => set({ ...this.state.doc.parts, [name]: value }), { "data-held": `part-${name}` }), gone,
        this.scores.includes(name) ? "" : el("small", { class: "cl-faint" }, "has no active version yet, so it adds nothing")), el("p", { class: "cq-problem", hidden: true, id: `rs-of-${name}` }));
    });
    const free = this.scores.filter((name) => !used.includes(name));
    if (!free.length && !rows.length) return "";
    const add = free.length ? select("Add another score", [["", "Add another score…"], ...free.map((name) => [name, name])], "", { part: "add-part", change: (name) => set({ ...doc.parts, [name]: 1 }, { isShape: true, focus: `[data-held="part-${name}"]` }) }) : "";
    return el("div", { class: "rs-part" }, el("span", { class: "rs-label" }, "Adds other scores"), el("p", { class: "cl-faint rs-hint" }, "Each as it is at that moment, times its weight."), ...rows, add);
  }
}
