// The condition editor: rows to fill in, and the same condition as JSON. The textarea is what the form sends; without
// this script it is all there is, and everything still works.
//
// Other scripts hear `condition:read` on the editor's element, detail {condition, valid}, after the server read it.
import { CodeEditor } from "./code_editor.js";
import { button, el, icon } from "./condition_dom.js";
import { Rows } from "./condition_rows.js";
import { hasInexactNumbers, steps, Tree, toJson } from "./condition_tree.js";
import { neat, placeOf, read } from "./json_places.js";

const UNFINISHED = new Set(["missing_key", "unknown_field", "wrong_value"]);
const PAUSE = 300; // milliseconds after the last key before the server is asked

const words = (list) => [...list.options].map((option) => option.text).join("\n");
const isSame = (one, other) => one.matches("select") && other.matches("select")
  && one.dataset.part === other.dataset.part && one.value === other.value && words(one) === words(other);

export class ConditionEditor {
  // box: an element with the textarea; catalogue: what conditions may ask about, else read from the page
  constructor(box, catalogue = JSON.parse(document.getElementById(box.dataset.catalogue).textContent)) {
    this.box = box;
    this.area = box.querySelector("textarea");
    this.catalogue = catalogue;
    this.scope = box.dataset.scope.split(" ");
    this.tree = new Tree(this.catalogue);
    this.touched = new Set(); // parts that somebody has worked on: the others are not blamed for being unfinished
    this.past = [];
    this.future = [];
    this.timer = 0;
    this.asking = null;
    this.build();
    this.rows = new Rows(this);
    this.text = this.area.value;
    if (this.take(this.text)) this.show("rows");
    else this.show("json");
    this.ask();
  }

  build() {
    this.panel = el("div", { class: "cq-panel" });
    this.lists = el("div", { hidden: true });
    this.json = el("div", { class: "cq-json" });
    this.area.before(this.json);
    this.json.append(this.area);
    this.editor = new CodeEditor(this.area, "json");
    this.tabs = new Map([["rows", "Build"], ["json", "JSON"]].map(([name, words]) => {
      const tab = button(words, () => this.show(name), { class: "cl-chip", "aria-pressed": "false", "data-part": `tab-${name}` });
      tab.removeAttribute("aria-label");
      tab.removeAttribute("title");
      tab.append(words);
      return [name, tab];
    }));
    this.undo = this.tool("Undo", "undo", () => this.step(this.past, this.future));
    this.redo = this.tool("Redo", "redo", () => this.step(this.future, this.past));
    this.note = el("p", { class: "cq-note", role: "status" });
    const bar = el("div", { class: "cq-bar" }, el("div", { class: "cl-chips" }, ...this.tabs.values()), el("span", { class: "cq-tools" }, this.undo, this.redo));
    this.sentence = el("p", { class: "cq-sentence", role: "status", "aria-live": "polite" });
    this.box.prepend(bar, this.note, this.panel);
    this.box.append(this.sentence, this.lists);
    this.area.addEventListener("input", () => this.typed());
    this.area.form?.addEventListener("submit", () => { this.leaving = true; });
    this.box.addEventListener("keydown", (event) => this.key(event));
    addEventListener("beforeunload", (event) => {
      if (!this.leaving && this.box.isConnected && this.area.value !== this.area.defaultValue) event.preventDefault();
    });
  }

  tool(label, symbol, act) {
    const control = button(label, act, { class: "cl-button cl-small", disabled: true });
    control.append(icon(symbol));
    return control;
  }

  // -- the two ways to see it ---------------------------------------------------------------------------------------

  // Reads a text of JSON into the tree. False where the rows could not show it as it is.
  take(text) {
    const { error } = read(text);
    this.obstacle = error
      ? `Line ${this.editor.lineOf(error.offset)}: ${error.message}.`
      : hasInexactNumbers(text) ? "This condition holds numbers with more digits than a browser keeps, so it can only be edited here." : "";
    if (this.obstacle) return false;
    this.root = this.tree.root(JSON.parse(text));
    return true;
  }

  show(name) {
    if (name === "rows" && this.obstacle) {
      this.tell(this.obstacle);
      return;
    }
    this.shown = name;
    for (const [each, tab] of this.tabs) tab.setAttribute("aria-pressed", String(each === name));
    this.panel.hidden = name !== "rows";
    this.json.hidden = name !== "json";
    this.tell(name === "json" ? this.obstacle : "");
    if (name === "rows") this.draw();
    else this.editor.draw();
    this.blame();
  }

  tell(words) { this.note.textContent = words ?? ""; }

  draw() {
    this.lists.replaceChildren();
    this.panel.replaceChildren(this.rows.group(this.root, { path: "", scope: this.scope }));
  }

  // -- changes ------------------------------------------------------------------------------------------------------

  changed(id) {
    if (id) this.touched.add(String(id));
    const text = neat(toJson(this.root));
    if (text === this.area.value) return;
    this.remember(id);
    this.area.value = this.text = text;
    this.ask();
  }

  redraw(id, part) {
    const held = document.activeElement;
    this.worked = null; // the next key is a new step to undo
    this.changed();
    this.draw();
    const owner = this.panel.querySelector(`[data-id="${id}"]`);
    let wanted = owner?.querySelector(`[data-part="${part}"]`) ?? owner?.querySelector("[data-part]");
    if (wanted && isSame(wanted, held)) {
      wanted.replaceWith(held); // a list that is chosen from by typing remembers what was typed
      wanted = held;
    }
    this.blame();
    wanted?.focus();
    if (wanted?.matches("input[type=text], input:not([type])")) wanted.setSelectionRange(wanted.value.length, wanted.value.length);
  }

  // Keys in one row are one step.
  remember(id = null) {
    if (id === null || this.worked !== id) {
      this.past.push(this.text);
      this.past.splice(0, this.past.length - 200);
    }
    this.worked = id;
    this.future = [];
    this.tools();
  }

  step(from, to) {
    if (!from.length) return;
    to.push(this.area.value);
    this.worked = null;
    this.area.value = this.text = from.pop();
    if (!this.take(this.text)) this.show("json");
    else this.show(this.shown);
    this.tools();
    this.ask();
  }

  tools() {
    this.undo.disabled = !this.past.length;
    this.redo.disabled = !this.future.length;
  }

  key(event) {
    // a letter in a list of choices chooses; the page around has shortcuts of one letter that would take it away
    if (event.target.matches("select") && event.key.length === 1 && !event.ctrlKey && !event.metaKey) event.stopPropagation();
    if (event.key !== "z" || !(event.ctrlKey || event.metaKey) || event.target.matches("textarea, input")) return;
    event.preventDefault(); // a text field takes back its own keys
    if (event.shiftKey) this.step(this.future, this.past);
    else this.step(this.past, this.future);
  }

  typed() {
    this.remember("json");
    this.text = this.area.value;
    this.take(this.text);
    this.tell(this.obstacle);
    this.ask();
  }

  // -- what the server says -----------------------------------------------------------------------------------------

  ask() {
    clearTimeout(this.timer);
    this.asking?.abort();
    this.timer = setTimeout(() => this.explain(), PAUSE);
  }

  async explain() {
    const { error } = read(this.area.value);
    if (error) {
      this.heard({ valid: false, sentence: null, problems: [] });
      return;
    }
    this.asking = new AbortController();
    try {
      const response = await fetch(this.box.dataset.explain, {
        method: "POST",
        signal: this.asking.signal,
        headers: { "Content-Type": "application/json", "X-CSRFToken": this.area.form.elements.csrfmiddlewaretoken.value },
        body: `{"condition": ${this.area.value}, "scope": ${JSON.stringify(this.scope)}, "segment": ${JSON.stringify(this.box.dataset.segment ?? null)}}`,
      });
      if (!response.ok) throw new Error(String(response.status));
      this.heard(await response.json());
    } catch (failure) {
      if (failure.name !== "AbortError") this.tell("The server could not be asked; saving still checks the condition.");
    }
  }

  heard(answer) {
    this.answer = answer;
    this.sentence.textContent = answer.valid ? `In words: ${answer.sentence}.` : "";
    this.blame();
    this.box.dispatchEvent(new CustomEvent("condition:read", { detail: { condition: this.area.value, valid: answer.valid } }));
  }

  // Shows every problem at its row, and at its line.
  blame() {
    const problems = this.answer?.problems ?? [];
    for (const line of this.panel.querySelectorAll(".cq-problem")) Object.assign(line, { hidden: true, textContent: "" });
    for (const control of this.panel.querySelectorAll("[data-part][aria-describedby]")) {
      control.removeAttribute("aria-invalid");
      control.removeAttribute("aria-describedby");
    }
    const parts = [...this.panel.querySelectorAll("[data-path]")].sort((one, other) => other.dataset.path.length - one.dataset.path.length);
    for (const problem of problems) {
      const part = parts.find(({ dataset: { path } }) => path === "" || (problem.path.startsWith(path) && /^([.[]|$)/.test(problem.path.slice(path.length))));
      if (part) this.blamePart(part, problem);
      else if (this.shown === "rows") this.tell(problem.message);
    }
    const { places, error } = read(this.area.value);
    if (error) this.editor.mark([{ line: this.editor.lineOf(error.offset), severity: "bad", message: error.message }]);
    else this.editor.mark(problems.map(({ path, message }) => ({ line: this.editor.lineOf(placeOf(places, steps(path)).start), severity: "bad", message })));
    if (this.shown === "json" && problems.length) this.tell(problems.map(({ path, message }) => `${path || "condition"}: ${message}`).join("\n"));
    else if (this.shown === "json" && !this.obstacle) this.tell("");
  }

  blamePart(part, { path, code, message }) {
    const [key] = steps(path.slice(part.dataset.path.length));
    const own = [...part.querySelectorAll("[data-part]")].filter((each) => each.closest(".cq-part") === part);
    const control = own.find((each) => each.dataset.part === key) ?? own.find((each) => each.dataset.part === "raw");
    const begun = this.touched.has(part.dataset.id) || !UNFINISHED.has(code) || control?.value;
    const line = [...part.children].find((child) => child.matches(".cq-problem"));
    line.hidden = false;
    line.classList.toggle("cq-soft", !begun);
    line.textContent = begun ? [line.textContent, message].filter(Boolean).join("; ") : "Not finished yet";
    control?.setAttribute("aria-describedby", line.id);
    if (begun) control?.setAttribute("aria-invalid", "true");
  }
}

for (const box of document.querySelectorAll("[data-condition-editor]")) new ConditionEditor(box);
