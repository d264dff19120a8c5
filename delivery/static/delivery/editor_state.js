// The document that is being edited: one plain object, changed through one door, with every step to undo. It is kept in
// this browser, too, under the template and the version that it began from, until it is saved.

const STEPS = 200;
const KEPT_AFTER = 500; // milliseconds
const PREFIX = "carillon.template.";

export const at = (root, path) => path.reduce((value, key) => value?.[key], root);

export class State extends EventTarget {
  constructor(data) {
    super();
    this.doc = data.draft;
    this.key = `${PREFIX}${data.key}.`;
    this.mayChange = data.may_save;
    this.locale = "";
    this.selected = null; // path of a block in the body
    this.past = [];
    this.future = [];
    for (const part of Object.values(this.doc.words)) framed(part.source);
    this.saved = JSON.stringify(this.doc);
    this.worked = null;
    this.timer = 0;
  }

  get part() { return this.doc.words[this.locale]; }
  get body() { return this.part.source.body; }
  get isChanged() { return JSON.stringify(this.doc) !== this.saved; }

  // Change the document. Keys typed into one field are one step: `merge` names the field. `typed`: what is on the page
  // stands already, only what follows from it is drawn again.
  change(mutate, { merge = null, typed = false } = {}) {
    if (!this.mayChange) return;
    const before = JSON.stringify(this.doc);
    mutate(this.doc);
    if (JSON.stringify(this.doc) === before) return;
    if (merge === null || merge !== this.worked) {
      this.past.push(before);
      this.past.splice(0, this.past.length - STEPS);
    }
    this.future = [];
    this.worked = merge;
    this.tell(typed);
  }

  step(from, to) {
    if (!from.length) return false;
    to.push(JSON.stringify(this.doc));
    this.take(JSON.parse(from.pop()));
    return true;
  }

  undo() { return this.step(this.past, this.future); }
  redo() { return this.step(this.future, this.past); }

  // Another document in place of this one, as one step that can be undone.
  replace(doc) {
    this.past.push(JSON.stringify(this.doc));
    this.future = [];
    for (const part of Object.values(doc.words)) framed(part.source);
    this.take({ ...doc, base: this.doc.base });
  }

  take(doc) {
    doc.base = this.doc.base;
    this.doc = doc;
    this.worked = null;
    if (!(this.locale in doc.words)) this.locale = "";
    if (this.selected && !at(this.body, this.selected)) this.selected = null;
    this.tell(false);
  }

  tell(typed) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.keep(), KEPT_AFTER);
    this.dispatchEvent(new CustomEvent("change", { detail: { typed } }));
  }

  show(locale) {
    this.locale = locale;
    this.selected = null;
    this.worked = null;
    this.dispatchEvent(new CustomEvent("change", { detail: { typed: false, shown: true } }));
  }

  select(path) {
    this.selected = path;
    this.worked = null;
    this.dispatchEvent(new CustomEvent("select"));
  }

  isSaved(base) {
    this.doc.base = base;
    this.saved = JSON.stringify(this.doc);
    this.forget();
  }

  // -- kept in this browser -----------------------------------------------------------------------------------------

  keep() {
    try {
      if (this.isChanged) localStorage.setItem(this.key + this.doc.base, JSON.stringify({ at: Date.now(), doc: this.doc }));
      else localStorage.removeItem(this.key + this.doc.base);
    } catch { /* no room, or not allowed: the page still warns before it is left */ }
  }

  // What was kept: [{base, at, doc}], the newest first.
  kept() {
    const found = [];
    try {
      for (const name of Object.keys(localStorage)) {
        if (!name.startsWith(this.key)) continue;
        const { at: when, doc } = JSON.parse(localStorage.getItem(name));
        if (doc?.words?.[""] && { ...doc, base: 0 } !== null) found.push({ base: Number(name.slice(this.key.length)), at: when, doc });
      }
    } catch { /* somebody else's words under our name */ }
    return found.sort((one, other) => other.at - one.at);
  }

  forget() {
    clearTimeout(this.timer);
    try {
      for (const name of Object.keys(localStorage)) if (name.startsWith(this.key)) localStorage.removeItem(name);
    } catch { /* nothing was kept */ }
  }
}

// A document of blocks always has its theme first and its footer last.
export function framed(source) {
  if (source.kind !== "blocks") return;
  const inside = source.body.filter((block) => block.type !== "theme" && block.type !== "footer");
  const theme = source.body.find((block) => block.type === "theme") ?? { type: "theme" };
  const footer = source.body.find((block) => block.type === "footer") ?? { type: "footer", text: "" };
  source.body = [theme, ...inside, footer];
}
