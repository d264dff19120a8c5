// What earns the points: something they do, something about them, or where they belong.
import { button, el, icon, select } from "../contacts/condition_dom.js";
import { Condition } from "./rules_condition.js";
import { input, part, period, toggle } from "./rules_fields.js";

export const KINDS = {
  event: { words: "Something they do", symbol: "bolt", fresh: () => ({ event: "" }) },
  about: { words: "Something about them", symbol: "person", fresh: () => ({ field: "", op: "eq" }) },
  named: { words: "A tag, list or segment", symbol: "sell", fresh: () => ({ has_tag: "" }) },
};
const NAMES = { has_tag: "Tag", in_list: "List", in_segment: "Segment", in_workflow: "Journey" };
const EACH = ["event", "where", "within"];

export function kindOf(signal) {
  const keys = Object.keys(signal ?? {});
  if (keys.includes("event") && keys.every((key) => EACH.includes(key))) return "event";
  return keys.length === 1 && keys[0] in NAMES && typeof signal[keys[0]] === "string" ? "named" : "about";
}

const spoken = (name) => String(name).replace(/^attributes\.|^event\./, "").replaceAll("_", " ").trim();
const capital = (words) => words.charAt(0).toUpperCase() + words.slice(1);

// A name for a rule that nobody has named: from what it says.
export function suggested(signal) {
  const [node] = [signal?.all ?? signal?.any ?? [signal]].flat();
  if (signal?.event !== undefined) {
    const [filter] = [signal.where?.all ?? signal.where?.any ?? [signal.where]].flat();
    const more = filter && filter.value !== undefined && filter.value !== "" ? `: ${[filter.value].flat().join(", ")}` : "";
    return signal.event ? `${capital(spoken(signal.event))}${more}`.slice(0, 200) : "";
  }
  if (node?.field) return `${capital(spoken([node.field].flat().at(-1)))}${node.value === undefined ? "" : `: ${[node.value].flat().join(", ")}`}`.slice(0, 200);
  const [key] = Object.keys(node ?? {});
  return key in NAMES && node[key] ? `${NAMES[key]}: ${node[key]}`.slice(0, 200) : "";
}

export class Signal {
  // write(signal, isShape): the signal as it is from now on; isShape: the rule has to be drawn again
  constructor(rule, path, { catalogue, write }) {
    Object.assign(this, { rule, path, catalogue, write });
  }

  draw() {
    const kind = kindOf(this.rule.signal);
    const choices = Object.entries(KINDS).map(([key, { words, symbol }]) => {
      const control = el("button", { type: "button", class: "cl-chip rs-kind", "aria-pressed": String(key === kind), "data-part": `kind-${key}` }, icon(symbol), words);
      control.addEventListener("click", () => { if (key !== kind) this.write(KINDS[key].fresh(), true, `kind-${key}`); });
      return control;
    });
    const box = part("What earns the points", this.path, el("div", { class: "cl-chips", role: "group", "aria-label": "What kind" }, ...choices));
    box.lastElementChild.before(...this[kind]());
    return box;
  }

  // -- something they do --------------------------------------------------------------------------------------------

  event() {
    const { signal } = this.rule;
    const id = `rs-events-${this.path.replace(/\D/g, "")}`;
    const list = el("datalist", { id }, ...this.catalogue.events.map(({ type }) => el("option", { value: type })));
    const control = input("Event", signal.event, (typed) => { signal.event = typed.trim(); this.write(signal); }, {
      list: id, placeholder: "Event, such as page_viewed", "data-part": "event", spellcheck: "false", class: "cl-input cq-combo",
    });
    control.addEventListener("change", () => this.write(signal, true, signal.where ? "event" : "filter"));
    const lines = [el("div", { class: "cq-line" }, el("span", { class: "cq-word" }, "each time this happens:"), control, list)];
    const filter = this.filter(signal);
    return [...lines, ...filter, this.within(signal)];
  }

  filter(signal) {
    if (!signal.where) {
      const open = el("button", { type: "button", class: "cl-button cl-small rs-start", "data-part": "filter" }, icon("filter_list"), "Only some of them");
      open.addEventListener("click", () => {
        signal.where = { field: "event.", op: "contains" }; // a bare name would be one of the contact's attributes
        this.write(signal, true, "field");
      });
      return [open];
    }
    const drop = button("Count all of them", () => { delete signal.where; this.write(signal, true, "filter"); }, { class: "cq-act", "data-part": "drop" });
    drop.append(icon("close"));
    const where = { catalogue: this.catalogue, path: `${this.path}.where`, scope: ["contact", "event"], event: signal.event };
    const condition = new Condition(where, signal.where, (json, isEmpty) => {
      if (isEmpty) delete signal.where;
      else signal.where = json;
      this.write(signal);
    });
    return [el("div", { class: "cq-where" }, el("div", { class: "cq-head" }, el("span", { class: "cq-word" }, "only those where"), drop), condition.box)];
  }

  within(signal) {
    const set = (text) => {
      if (text === null) delete signal.within;
      else signal.within = text;
    };
    const line = el("div", { class: "cq-line" }, toggle("Only while it is recent: in the last", Boolean(signal.within), (on) => {
      set(on ? "P90D" : null);
      this.write(signal, true, "recent");
    }, { "data-part": "recent" }));
    if (signal.within) line.append(...period(signal.within, "within", (text) => { set(text); this.write(signal); }));
    return line;
  }

  // -- something about them, where they belong ----------------------------------------------------------------------

  about() {
    const where = { catalogue: this.catalogue, path: this.path, scope: ["contact"] };
    const condition = new Condition(where, this.rule.signal, (json) => { this.rule.signal = json; this.write(json); });
    return [el("p", { class: "cl-faint rs-hint" }, "The points count once, while this is true, and do not fade."), condition.box];
  }

  named() {
    const { signal } = this.rule;
    const [key] = Object.keys(signal);
    const known = this.catalogue.nodes.find((node) => node.key === key)?.choices ?? [];
    const id = `rs-names-${this.path.replace(/\D/g, "")}`;
    const list = el("datalist", { id }, ...known.map(({ value, label }) => el("option", { value, label: label === value ? undefined : label })));
    const offered = this.catalogue.nodes.filter((node) => node.key in NAMES).map((node) => [node.key, NAMES[node.key]]);
    const which = select("Of which kind", offered, key, { part: "which", change: (chosen) => this.write({ [chosen]: "" }, true, "which") });
    const control = input(`Which ${NAMES[key].toLowerCase()}`, signal[key], (typed) => { signal[key] = typed; this.write(signal); }, {
      list: id, placeholder: `Which ${NAMES[key].toLowerCase()}`, "data-part": key, class: "cl-input cq-combo",
    });
    return [el("p", { class: "cl-faint rs-hint" }, "The points count once, while they belong to it, and do not fade."), el("div", { class: "cq-line" }, which, control, list)];
  }
}
