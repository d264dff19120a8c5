// The draft that is being edited: one plain object, changed through one door, with every step to undo. It is kept in
// this browser, too, until it is saved: nothing that somebody wrote is lost by closing a page.

const STEPS = 200;
const KEPT_AFTER = 500; // milliseconds
const PREFIX = "carillon.ruleset.";

const NO_RULE = { name: "", points: 0, decay: {}, cap: null, group: "", repeat: {}, human_only: true };
const NOTHING = { title: "", mql_threshold: 60, cap: null, groups: [], parts: {}, hysteresis: 0.1, rearm_after: "", on_activation: "emit" };
let last = 0;

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
const differing = (written, usual) => Object.fromEntries(Object.entries(written).filter(([key, value]) => JSON.stringify(value) !== JSON.stringify(usual[key])));

// A draft as people write it: without what goes without saying.
export const brief = ({ mql_threshold, rules, ...rest }) => ({ mql_threshold, ...differing(rest, NOTHING), rules: rules.map((rule) => differing(rule, { ...NO_RULE, name: null, points: null })) });

// The whole draft again; null for what the editor could not show.
export function whole(written) {
  if (!isObject(written) || !Array.isArray(written.rules)) return null;
  const draft = { ...NOTHING, ...written, rules: written.rules.map((rule) => ({ ...NO_RULE, ...rule })) };
  const isShown = written.rules.every((rule) => isObject(rule) && isObject(rule.signal)) && isObject(draft.parts) && Array.isArray(draft.groups) && draft.groups.every(isObject)
    && draft.rules.every(({ decay, repeat }) => [decay, repeat].every((each) => each === null || isObject(each)));
  return isShown ? draft : null;
}

export class State extends EventTarget {
  constructor({ id, edits, draft }) {
    super();
    this.key = `${PREFIX}${id}`;
    this.edits = edits;
    this.set(draft);
    this.named = new Set(this.keys); // rules whose name somebody chose: the others are named by what they say
    this.open = new Set();
    this.saved = JSON.stringify(this.doc);
    this.past = [];
    this.future = [];
    this.worked = null;
    this.timer = 0;
  }

  get rules() { return this.doc.rules; }
  get isChanged() { return JSON.stringify(this.doc) !== this.saved; }

  set(draft) {
    const { name, ...doc } = draft;
    this.doc = structuredClone(doc);
    this.keys = this.doc.rules.map(() => ++last);
  }

  // Change the draft. Keys typed into one field are one step: `merge` names the field. `typed`: what is on the page
  // stands already, only what follows from it is drawn again.
  change(mutate, { merge = null, typed = false } = {}) {
    const before = this.snapshot();
    mutate(this.doc, this.keys);
    if (this.snapshot() === before) return;
    if (merge === null || merge !== this.worked) {
      this.past.push(before);
      this.past.splice(0, this.past.length - STEPS);
    }
    this.future = [];
    this.worked = merge;
    this.tell(typed);
  }

  snapshot() { return JSON.stringify([this.doc, this.keys]); }

  step(from, to) {
    if (!from.length) return false;
    to.push(this.snapshot());
    [this.doc, this.keys] = JSON.parse(from.pop());
    this.worked = null;
    this.tell(false);
    return true;
  }

  undo() { return this.step(this.past, this.future); }
  redo() { return this.step(this.future, this.past); }

  // Another draft in place of this one, as one step that can be undone.
  replace(draft) {
    this.past.push(this.snapshot());
    this.future = [];
    this.set(draft);
    for (const key of this.keys) this.named.add(key);
    this.worked = null;
    this.tell(false);
  }

  tell(typed) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.keep(), KEPT_AFTER);
    this.dispatchEvent(new CustomEvent("change", { detail: { typed } }));
  }

  isSaved(edits, sent) {
    this.edits = edits;
    this.saved = sent;
    this.keep();
  }

  // -- rules --------------------------------------------------------------------------------------------------------

  add(rule, at = this.rules.length) {
    const key = ++last;
    this.open.clear();
    this.open.add(key);
    this.change((doc, keys) => {
      doc.rules.splice(at, 0, rule);
      keys.splice(at, 0, key);
    });
    return key;
  }

  move(from, to) {
    if (to < 0 || to >= this.rules.length) return;
    this.change((doc, keys) => {
      for (const list of [doc.rules, keys]) list.splice(to, 0, ...list.splice(from, 1));
    });
  }

  remove(at) {
    this.change((doc, keys) => {
      doc.rules.splice(at, 1);
      keys.splice(at, 1);
    });
  }

  // -- kept in this browser -----------------------------------------------------------------------------------------

  keep() {
    clearTimeout(this.timer);
    try {
      if (this.isChanged) localStorage.setItem(this.key, JSON.stringify({ at: Date.now(), edits: this.edits, doc: this.doc }));
      else localStorage.removeItem(this.key);
    } catch { /* no room, or not allowed: the page still warns before it is left */ }
  }

  // {at, edits, doc} of what was kept and differs from what is here, or null.
  kept() {
    try {
      const kept = JSON.parse(localStorage.getItem(this.key));
      return Array.isArray(kept?.doc?.rules) && JSON.stringify(kept.doc) !== JSON.stringify(this.doc) ? kept : null;
    } catch { return null; }
  }

  forget() {
    clearTimeout(this.timer);
    try { localStorage.removeItem(this.key); } catch { /* nothing was kept */ }
  }
}
