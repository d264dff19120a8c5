// The editor of a draft. The server knows what rules say and what they would do; this page keeps the draft and shows
// both.
import { CodeEditor } from "../contacts/code_editor.js";
import { el } from "../contacts/condition_dom.js";
import { steps } from "../contacts/condition_tree.js";
import { neat, placeOf, read } from "../contacts/json_places.js";
import { blame } from "./rules_blame.js";
import { Cards } from "./rules_cards.js";
import { Effect } from "./rules_effect.js";
import { Saving } from "./rules_saving.js";
import { Settings } from "./rules_settings.js";
import { brief, State, whole } from "./rules_state.js";

const PAUSE = 300; // milliseconds after the last change before the server is asked
const root = document.getElementById("rules-editor");
const json = (id) => JSON.parse(document.getElementById(id).textContent);
const data = json("rules-data");
const part = (name) => root.querySelector(`[data-part="${name}"]`);
const token = document.querySelector("[name=csrfmiddlewaretoken]").value;

async function post(url, body, expected = [400], signal = undefined) {
  const response = await fetch(url, { method: "POST", signal, headers: { "Content-Type": "application/json", "X-CSRFToken": token }, body: JSON.stringify(body) });
  if (!response.ok && !expected.includes(response.status)) throw new Error(String(response.status));
  return response.json();
}
async function get(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(String(response.status));
  return response.json();
}

// -- what happened, in words, with what can be done about it ------------------------------------------------------------

const toast = document.querySelector("[data-toast]");
let fading = 0;
function tell(words, deed = null) {
  toast.replaceChildren(el("span", {}, words));
  if (deed) {
    const control = el("button", { type: "button", class: "cl-button cl-small" }, deed.words);
    control.addEventListener("click", () => { deed.act(); toast.classList.remove("rs-is-told"); });
    toast.append(control);
  }
  toast.classList.add("rs-is-told");
  clearTimeout(fading);
  fading = setTimeout(() => toast.classList.remove("rs-is-told"), 9000);
}

// -- the parts of the page --------------------------------------------------------------------------------------------

const state = new State(data);
const cards = new Cards(part("cards"), state, { catalogue: json("rules-catalogue"), engagement: data.engagement, tell });
const settings = new Settings(part("settings"), state, { scores: data.scores });
const saving = new Saving(state, { urls: data.urls, post, tell, heard, name: data.name });
const effect = data.sees_contacts ? new Effect(document.getElementById("rules-effect"), { urls: data.urls, post, get, draft: () => state.doc }) : null;
const text = part("text");
const code = new CodeEditor(text, "json");
const note = part("note");
let problems = [];
let view = "rules";

function drawAll() {
  cards.draw();
  settings.draw();
  if (view === "json" && document.activeElement !== text) text.value = neat(brief(state.doc));
  code.draw();
  drawHead();
  heard(problems);
}

function drawHead() {
  part("undo").disabled = !state.past.length;
  part("redo").disabled = !state.future.length;
  saving.draw();
}

state.addEventListener("change", ({ detail: { typed } }) => {
  if (typed) drawHead();
  else drawAll();
  ask();
});
root.addEventListener("rules:drawn", () => heard(problems));
document.addEventListener("rules:chosen", () => ask());

// Everything that is wrong, shown where it is.
function heard(found) {
  problems = found;
  const elsewhere = blame(root, problems);
  const open = problems.length;
  note.hidden = !elsewhere.length;
  note.textContent = elsewhere.map(({ path, message }) => `${path || "The draft"}: ${message}`).join("\n");
  part("count").textContent = open ? `${open} ${open === 1 ? "thing is" : "things are"} not finished` : "";
  const { places } = read(text.value);
  if (view === "json") code.mark(problems.map(({ path, message }) => ({ line: code.lineOf(placeOf(places, steps(path)).start), severity: "bad", message })));
}

// -- what the server says ---------------------------------------------------------------------------------------------

let timer = 0;
let asking = null;
function ask(pause = PAUSE) {
  clearTimeout(timer);
  asking?.abort();
  timer = setTimeout(check, pause);
}

async function check() {
  asking = new AbortController();
  try {
    const answer = await post(data.urls.check, { draft: state.doc, contacts: effect?.ids ?? null }, [400], asking.signal);
    if (answer.problem) return;
    cards.say(answer.rules);
    heard(answer.problems);
    saving.meanwhile(answer.saved);
    effect?.draw(answer.effect, answer.problems);
  } catch (failure) {
    if (failure.name !== "AbortError" && effect) effect.note.textContent = "The server could not be asked just now.";
  }
}

// -- the same as JSON -------------------------------------------------------------------------------------------------

function show(name) {
  view = name;
  for (const tab of root.querySelectorAll("[data-view]")) tab.setAttribute("aria-pressed", String(tab.dataset.view === name));
  part("cards").hidden = part("settings-card").hidden = name !== "rules";
  part("json").hidden = name !== "json";
  if (name === "json") text.value = neat(brief(state.doc));
  drawAll();
}
for (const tab of root.querySelectorAll("[data-view]")) tab.addEventListener("click", () => show(tab.dataset.view));

text.addEventListener("input", () => {
  const { error } = read(text.value);
  const draft = error ? null : whole(JSON.parse(text.value));
  note.hidden = Boolean(draft);
  if (draft) state.replace(draft);
  else note.textContent = `${error ? `Line ${code.lineOf(error.offset)}: ${error.message}` : "A draft is an object with a list of rules, each with its signal"}. The draft stays as it was until this can be read.`;
});

part("download").addEventListener("click", () => {
  const file = new Blob([`${neat({ name: data.name, ...brief(state.doc) })}\n`], { type: "application/json" });
  const link = el("a", { href: URL.createObjectURL(file), download: `${data.name}-v${data.version}.json` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
});
part("upload").addEventListener("change", async ({ target }) => {
  const [file] = target.files;
  if (!file) return;
  text.value = await file.text();
  target.value = "";
  text.dispatchEvent(new Event("input"));
  if (note.hidden) tell(`“${file.name}” is in the draft. Undo brings back what was there.`);
});

// -- undo and redo ----------------------------------------------------------------------------------------------------

const undo = () => { if (state.undo()) tell("Undone."); };
const redo = () => { if (state.redo()) tell("Done again."); };
part("undo").addEventListener("click", undo);
part("redo").addEventListener("click", redo);
document.addEventListener("keydown", (event) => {
  if (!(event.ctrlKey || event.metaKey) || event.altKey || document.querySelector("dialog[open]")) return;
  const key = event.key.toLowerCase();
  if (key === "s") { event.preventDefault(); saving.save(); }
  if (event.target.matches("textarea") || !(root.contains(event.target) || event.target === document.body)) return;
  if (key === "z" && !event.shiftKey) { event.preventDefault(); undo(); }
  if (key === "y" || (key === "z" && event.shiftKey)) { event.preventDefault(); redo(); }
});

drawAll();
ask(0);
root.classList.add("rs-is-ready");
