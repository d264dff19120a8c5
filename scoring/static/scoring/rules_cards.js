// The rules as cards: each says in a sentence what it gives, and opens to be written.
import { button, el, icon, select } from "../contacts/condition_dom.js";
import { curve, input, number, part, period, stepper, toggle } from "./rules_fields.js";
import { KINDS, kindOf, Signal, suggested } from "./rules_signal.js";

const FADES = [["none", "never"], ["half_life", "halve every"], ["linear", "fall evenly to nothing in"], ["step", "whole for, then nothing"]];
const REPEATS = [["every_time", "every time"], ["once_per", "at most once in"], ["once", "only the newest counts"]];
const signed = (points) => (points > 0 ? `+${points}` : String(points ?? "").replace("-", "−"));

export class Cards {
  // data: {catalogue, engagement}; told(): what the server says of each rule
  constructor(box, state, { catalogue, engagement, tell }) {
    Object.assign(this, { box, state, catalogue, engagement, tell });
    this.said = [];
    this.list = el("div", { class: "rs-cards" });
    this.empty = el("p", { class: "cl-faint rs-empty" }, "No rule yet. Begin with something they do, such as visiting a page.");
    this.box.append(this.list, this.empty, this.adding());
  }

  adding() {
    const controls = Object.entries(KINDS).map(([key, { words, symbol, fresh }]) => {
      const control = el("button", { type: "button", class: "cl-button", "data-add": key }, icon(symbol), words);
      control.addEventListener("click", () => {
        const isEvent = key === "event";
        const added = this.state.add({
          name: "", signal: fresh(), points: 10, decay: isEvent ? { type: "half_life", period: "P30D" } : {}, cap: null, group: "", repeat: {}, human_only: true,
        });
        const card = this.card(added);
        card.querySelector(key === "event" ? "[data-part=event]" : key === "named" ? "[data-part=has_tag]" : "[data-part=field]")?.focus();
        card.scrollIntoView({ block: "nearest" });
      });
      return control;
    });
    return el("div", { class: "rs-add", role: "group", "aria-label": "Add a rule" }, el("span", { class: "rs-label" }, "Add a rule:"), ...controls);
  }

  card(key) { return this.list.querySelector(`[data-key="${key}"]`); }

  draw() {
    const held = document.activeElement?.closest?.(".rs-card");
    const again = held && [held.dataset.key, document.activeElement.dataset.part];
    this.list.replaceChildren(...this.state.rules.map((rule, at) => this.one(rule, at)));
    this.empty.hidden = Boolean(this.state.rules.length);
    this.say(this.said);
    if (again) this.card(again[0])?.querySelector(again[1] ? `[data-part="${again[1]}"]` : "[data-part=open]")?.focus();
  }

  // What the server said of each rule, put where it belongs.
  say(said) {
    this.said = said;
    this.state.rules.forEach((rule, at) => {
      const card = this.list.children[at];
      const told = said[at];
      if (!card || !told) return;
      card.querySelector("[data-said]").textContent = [told.sentence, ...told.notes].filter(Boolean).join("; ");
      const isNegative = rule.points < 0;
      card.querySelector("[data-small]").replaceChildren(...(told.curve ? [curve(told.curve, { isNegative })] : []));
      card.querySelector("[data-large]")?.replaceChildren(...(told.curve ? [curve(told.curve, { isLarge: true, isNegative })] : []));
    });
  }

  // -- one card -----------------------------------------------------------------------------------------------------

  one(rule, at) {
    const key = this.state.keys[at];
    const isOpen = this.state.open.has(key);
    const head = el("button", { type: "button", class: "rs-open", "aria-expanded": String(isOpen), "data-part": "open" },
      el("b", { class: `rs-points${rule.points < 0 ? " rs-is-negative" : ""}`, "data-points": true }, signed(rule.points)),
      el("span", { class: "rs-words" }, el("b", { "data-name": true }, rule.name || "New rule"), el("small", { "data-said": true })),
      el("span", { class: "rs-small", "data-small": true }));
    head.addEventListener("click", () => {
      if (isOpen) this.state.open.delete(key);
      else this.state.open.add(key);
      this.draw();
      this.box.dispatchEvent(new CustomEvent("rules:drawn", { bubbles: true }));
    });
    const card = el("div", { class: `rs-card${isOpen ? " rs-is-open" : ""}`, "data-key": key, "data-path": `rules[${at}]`, role: "group", "aria-label": `Rule ${at + 1} of ${this.state.rules.length}` },
      el("div", { class: "rs-head" }, head, this.actions(at)), isOpen ? this.body(rule, at, key) : "", el("p", { class: "cq-problem", hidden: true, id: `rs-problem-${key}` }));
    card.addEventListener("keydown", (event) => {
      if (!event.altKey || event.target.closest(".cq-part") || !["ArrowUp", "ArrowDown"].includes(event.key)) return;
      event.preventDefault();
      this.state.move(at, at + (event.key === "ArrowUp" ? -1 : 1));
    });
    return card;
  }

  actions(at) {
    const act = (label, symbol, deed, name) => {
      const control = button(label, deed, { class: "cq-act", "data-part": name });
      control.append(icon(symbol));
      return control;
    };
    return el("span", { class: "cq-actions" },
      act("Move up", "arrow_upward", () => this.state.move(at, at - 1), "up"),
      act("Move down", "arrow_downward", () => this.state.move(at, at + 1), "down"),
      act("Duplicate", "content_copy", () => this.duplicate(at), "duplicate"),
      act("Delete", "delete", () => this.remove(at), "delete"));
  }

  duplicate(at) {
    const rule = structuredClone(this.state.rules[at]);
    const key = this.state.add({ ...rule, name: `${rule.name} (copy)`.slice(0, 200) }, at + 1);
    this.state.named.add(key);
    this.card(key).querySelector("[data-part=name]").select();
  }

  remove(at) {
    const { name } = this.state.rules[at];
    this.state.remove(at);
    const next = this.list.children[Math.min(at, this.state.rules.length - 1)];
    (next?.querySelector("[data-part=open]") ?? this.box.querySelector("[data-add]")).focus();
    this.tell(`“${name || "New rule"}” is deleted.`, { words: "Undo", act: () => this.state.undo() });
  }

  // -- what is written ----------------------------------------------------------------------------------------------

  body(rule, at, key) {
    const path = `rules[${at}]`;
    const write = (field, value, { isShape = false, focus } = {}) => {
      this.state.change((doc) => { doc.rules[at][field] = value; }, { merge: isShape ? null : `${key}.${field}`, typed: !isShape });
      if (focus) this.card(key)?.querySelector(`[data-part="${focus}"]`)?.focus();
    };
    const signal = structuredClone(rule.signal);
    const isEvent = kindOf(rule.signal) === "event";
    const earned = new Signal({ signal }, `${path}.signal`, {
      catalogue: this.catalogue,
      write: (written, isShape = false, focus) => this.earned(at, key, structuredClone(written), isShape, focus),
    });
    const lines = [this.named(rule, key, path, write), earned.draw(), this.points(rule, path, write)];
    if (isEvent) lines.push(this.fades(rule, path, write), this.repeats(rule, path, write));
    lines.push(this.bounds(rule, path, write));
    if (this.engagement.includes(rule.signal.event)) {
      lines.push(part("Machines", `${path}.human_only`, toggle("Only opens and clicks of people count, not those of mail scanners", rule.human_only !== false, (on) => write("human_only", on), { "data-part": "human_only" })));
    }
    return el("div", { class: "rs-body cq" }, ...lines);
  }

  // Another signal; where it is about something else, what only events can do is put away.
  earned(at, key, signal, isShape, focus) {
    const isNamed = this.state.named.has(key);
    this.state.change((doc) => {
      const rule = doc.rules[at];
      if (kindOf(signal) !== kindOf(rule.signal)) Object.assign(rule, { decay: kindOf(signal) === "event" ? { type: "half_life", period: "P30D" } : {}, repeat: {} });
      rule.signal = signal;
      if (!isNamed) rule.name = suggested(signal);
    }, { merge: isShape ? null : `${key}.signal`, typed: !isShape });
    const card = this.card(key);
    if (!isShape) {
      const { name } = this.state.rules[at];
      card.querySelector("[data-name]").textContent = name || "New rule";
      card.querySelector("[data-part=name]").value = name;
    }
    const wanted = focus ? card.querySelector(`[data-part="${focus}"]`) : null;
    wanted?.focus();
    if (wanted?.matches("input[type=text], input:not([type])")) wanted.setSelectionRange(wanted.value.length, wanted.value.length);
  }

  named(rule, key, path, write) {
    const control = input("Name of the rule", rule.name, (typed) => {
      this.state.named[typed.trim() ? "add" : "delete"](key);
      write("name", typed);
      this.card(key).querySelector("[data-name]").textContent = typed || "New rule";
    }, { "data-part": "name", maxlength: 200, placeholder: "Named by what it says", class: "cl-input rs-wide" });
    const box = part("Name", path, control);
    box.removeAttribute("data-path"); // the card itself says what is wrong with the name
    return box;
  }

  points(rule, path, write) {
    const box = part("Points", `${path}.points`, stepper("Points", rule.points, 5, (value) => {
      write("points", value);
      const pill = box.closest(".rs-card").querySelector("[data-points]");
      pill.textContent = signed(value);
      pill.classList.toggle("rs-is-negative", value < 0);
    }, { "data-part": "points" }));
    return box;
  }

  fades(rule, path, write) {
    const kind = rule.decay?.type ?? "none";
    const chosen = select("How the points fade", FADES, kind, {
      part: "type",
      change: (type) => write("decay", type === "none" ? {} : { type, period: rule.decay?.period ?? "P30D" }, { isShape: true, focus: "type" }),
    });
    const span = kind === "none" ? [] : period(rule.decay.period, "period", (text) => write("decay", { type: kind, period: text }));
    const box = part("They fade", `${path}.decay`, chosen, ...span);
    box.lastElementChild.before(el("div", { "data-large": true, "aria-live": "polite" }));
    return box;
  }

  repeats(rule, path, write) {
    const policy = rule.repeat?.policy ?? "every_time";
    const chosen = select("How often it counts", REPEATS, policy, {
      part: "policy",
      change: (each) => write("repeat", { every_time: {}, once: { policy: "once" }, once_per: { policy: "once_per", period: "P1D" } }[each], { isShape: true, focus: "policy" }),
    });
    const span = policy === "once_per" ? period(rule.repeat.period, "period", (text) => write("repeat", { policy, period: text })) : [];
    return part("It counts", `${path}.repeat`, chosen, ...span);
  }

  bounds(rule, path, write) {
    const groups = [["", "no group"], ...this.state.doc.groups.map(({ name }) => [name, name])];
    if (rule.group && !groups.some(([name]) => name === rule.group)) groups.push([rule.group, `${rule.group} (is gone)`]);
    const box = part("Limits", path, el("label", { class: "rs-inline" }, el("span", { class: "cq-word" }, "at most"), number("At most so many points", rule.cap, (value) => write("cap", value), { "data-part": "cap", min: 0, placeholder: "no limit" }), el("span", { class: "cq-word" }, "points")),
      el("label", { class: "rs-inline" }, el("span", { class: "cq-word" }, "in"), select("Group", groups, rule.group ?? "", { part: "group", change: (name) => write("group", name) })));
    box.removeAttribute("data-path");
    return box;
  }
}
