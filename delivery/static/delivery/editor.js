// The editor of a template. The server knows what a template may hold and how it looks; this page keeps the document
// and shows both.
import { el } from "../contacts/condition_dom.js";
import { Blocks } from "./editor_blocks.js";
import { Checks, Design, Locales, Settings, spokenLocale, Words } from "./editor_panels.js";
import { Preview } from "./editor_preview.js";
import { Saving, Versions } from "./editor_saving.js";
import { kindOf } from "./editor_kinds.js";
import { at, State } from "./editor_state.js";
import { Tags } from "./editor_tags.js";

const root = document.getElementById("editor");
const data = JSON.parse(document.getElementById("editor-data").textContent);
const part = (name) => root.querySelector(`[data-part="${name}"]`);
const dialog = (name) => document.querySelector(`[data-dialog="${name}"]`);
const token = document.querySelector("[name=csrfmiddlewaretoken]").value;

async function post(url, body, expected = [400]) {
  const response = await fetch(url, { method: "POST", headers: { "Content-Type": "application/json", "X-CSRFToken": token }, body: JSON.stringify(body) });
  if (!response.ok && !expected.includes(response.status)) throw new Error(String(response.status));
  return response.json();
}

// -- what happened, in words, with what can be done about it ------------------------------------------------------------

const toast = document.querySelector("[data-toast]");
let fading = 0;
function tell(words, deed = null) {
  toast.replaceChildren(el("span", {}, words));
  if (deed) {
    const control = el("button", { type: "button", class: "cl-button cl-small" }, deed.words);
    control.addEventListener("click", () => { deed.act(); toast.classList.remove("ed-is-told"); });
    toast.append(control);
  }
  toast.classList.add("ed-is-told");
  clearTimeout(fading);
  fading = setTimeout(() => toast.classList.remove("ed-is-told"), 9000);
}

// -- the parts of the page --------------------------------------------------------------------------------------------

const state = new State(data);
const tags = new Tags(data.tags);
const blocks = new Blocks(part("blocks"), state, { tags, tell });
const words = new Words(part("words"), state, { tags });
const design = new Design(part("design"), state);
const settings = new Settings(part("settings"), state, { layouts: data.layouts, isNew: data.is_new });
const locales = new Locales(part("locales"), state, { ask: askLocale });
go.nameOf = (locale, place) => {
  const steps = place.split(".").slice(1);
  if (steps[0] === "0") return "Design";
  const path = (steps[1] === "columns" && steps.length > 3 ? steps.slice(0, 4) : steps.slice(0, 1));
  return kindOf(at(state.doc.words[locale ?? ""]?.source.body ?? [], path)).label;
};
const checks = new Checks(part("checks"), part("badge"), { go, tryLinks: data.may_save && data.draft.channel === "email" ? tryLinks : null });
let findings = [];
let broken = [];
let lacking = []; // values that some contacts have nothing for
const preview = new Preview(root, state, { urls: data.urls, post, heard });
const saving = new Saving(state, { urls: data.urls, post, tell, heard, isNew: data.is_new });
const versions = new Versions(part("versions"), state, { urls: data.urls, post, tell, versions: data.versions, saving });
const name = root.querySelector("[data-name]");

function drawAll() {
  const isBlocks = state.part.source.kind === "blocks" && state.doc.channel === "email";
  part("blocks").hidden = !isBlocks;
  root.classList.toggle("ed-is-code", !isBlocks && state.doc.channel === "email");
  words.draw();
  if (isBlocks) blocks.draw();
  design.draw();
  settings.draw();
  locales.draw();
  drawHead();
  blame();
}

function drawHead() {
  if (document.activeElement !== name) name.value = state.doc.name;
  part("undo").disabled = !state.past.length || !state.mayChange;
  part("redo").disabled = !state.future.length || !state.mayChange;
  saving.draw();
}

state.addEventListener("change", ({ detail: { typed, shown } }) => {
  broken = [];
  if (typed) drawHead(); else drawAll();
  askLacking();
  preview.soon(shown ? 0 : undefined);
});
root.addEventListener("editor:step", () => { state.worked = null; });
state.addEventListener("select", () => { blocks.draw(); blame(); });

// -- places: where a finding leads ------------------------------------------------------------------------------------

function heard(answer) {
  findings = [...(answer.faults ?? []), ...(answer.findings ?? [])];
  drawFindings();
  blame();
}

const drawFindings = () => checks.draw([...findings, ...lacking, ...broken]);

// Who lacks what the words name is counted over all contacts, so it is asked anew only when other values are named.
const LACKING_AFTER = 1000; // milliseconds
let askedOf = "";
let asking = 0;
function askLacking(wait = LACKING_AFTER) {
  clearTimeout(asking);
  if (!data.urls.lacking || state.doc.kind !== "message") return;
  asking = setTimeout(async () => {
    const named = (JSON.stringify(state.doc.words).match(/\{\{[^}]*\}\}/g) ?? []).join("");
    if (named === askedOf) return;
    askedOf = named;
    try {
      const answer = await post(data.urls.lacking, { draft: state.doc });
      if (named !== askedOf) return;
      lacking = answer.findings ?? [];
      drawFindings();
    } catch { askedOf = ""; } // asked again at the next change
  }, wait);
}

// Asks every link whether it is there; what was found stays until the document changes.
async function tryLinks() {
  try {
    const answer = await post(data.urls.links, { draft: state.doc, locale: state.locale });
    broken = answer.findings ?? [];
    drawFindings();
    return answer.problem ?? (broken.length ? "" : "Every link is there.");
  } catch { return "The server did not answer."; }
}

// Marks the fields that something is wrong with, and says it to whoever cannot see the mark.
function blame() {
  for (const marked of root.querySelectorAll("[data-place][aria-invalid]")) marked.removeAttribute("aria-invalid");
  for (const each of root.querySelectorAll(".ed-is-wrong")) each.classList.remove("ed-is-wrong");
  for (const { locale, place, tone } of findings) {
    if (tone !== "bad" || (locale ?? "") !== state.locale) continue;
    field(place)?.setAttribute("aria-invalid", "true");
    let block = place;
    while (block.startsWith("blocks.") && !root.querySelector(`[data-path="${block.slice(7)}"]`)) block = block.slice(0, block.lastIndexOf("."));
    root.querySelector(`[data-path="${block.slice(7)}"]`)?.classList.add("ed-is-wrong");
  }
}

const field = (place) => (place ? root.querySelector(`:is(input, textarea, select)[data-place="${CSS.escape(place)}"]`) : null);
const TAB_OF = { name: "settings", slug: "settings", layout: "settings", utm: "settings", allow_personal: "settings" };

function go({ locale, place }) {
  if ((locale ?? "") !== state.locale && (locale ?? "") in state.doc.words) state.show(locale ?? "");
  const isMail = state.doc.channel === "email";
  if (place.startsWith("blocks.0.")) tab("design");
  else if (place === "text" && isMail) tab("settings");
  else tab(TAB_OF[place] ?? "content");
  const steps = place.startsWith("blocks.") ? place.split(".").slice(1) : [];
  if (steps.length && steps[0] !== "0") {
    const isInColumn = steps[1] === "columns" && steps.length > 3;
    const path = (isInColumn ? steps.slice(0, 4) : steps.slice(0, 1)).map((step) => (/^\d+$/.test(step) ? Number(step) : step));
    state.select(path);
    (field(place) ?? root.querySelector(`[data-path="${path.join(".")}"] [data-part="open"]`))?.focus();
    root.querySelector(`[data-path="${path.join(".")}"]`)?.scrollIntoView({ block: "nearest" });
    return;
  }
  (field(place) ?? part(TAB_OF[place] ?? "content").querySelector("input, textarea, button"))?.focus();
}

// -- tabs -------------------------------------------------------------------------------------------------------------

const tabs = [...root.querySelectorAll("[role=tab]")];
function tab(chosen) {
  for (const each of tabs) {
    const is = each.dataset.tab === chosen;
    each.setAttribute("aria-selected", String(is));
    each.tabIndex = is ? 0 : -1;
    document.getElementById(each.getAttribute("aria-controls")).hidden = !is;
  }
}
tabs.forEach((each, index) => {
  each.addEventListener("click", () => tab(each.dataset.tab));
  each.addEventListener("keydown", (event) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by) return;
    const next = tabs[(index + by + tabs.length) % tabs.length];
    tab(next.dataset.tab);
    next.focus();
  });
});

// -- undo and redo ----------------------------------------------------------------------------------------------------

const undo = () => { if (state.mayChange && state.undo()) tell("Undone."); };
const redo = () => { if (state.mayChange && state.redo()) tell("Done again."); };
part("undo").addEventListener("click", undo);
part("redo").addEventListener("click", redo);
document.addEventListener("keydown", (event) => {
  if (!(event.ctrlKey || event.metaKey) || event.altKey || document.querySelector("dialog[open]")) return;
  const key = event.key.toLowerCase();
  const inOurs = root.contains(event.target) || event.target === document.body;
  if (key === "s" && state.mayChange) { event.preventDefault(); saving.save(); }
  if (!inOurs || event.target.matches("[data-preview=person]")) return;
  if (key === "z" && !event.shiftKey) { event.preventDefault(); undo(); }
  if (key === "y" || (key === "z" && event.shiftKey)) { event.preventDefault(); redo(); }
});

name.addEventListener("input", () => {
  state.change((doc) => { doc.name = name.value; }, { merge: "name", typed: true });
  settings.draw();
});

// -- dialogs ----------------------------------------------------------------------------------------------------------

for (const each of document.querySelectorAll("dialog")) {
  for (const leave of each.querySelectorAll("[data-leave]")) leave.addEventListener("click", () => each.close(""));
}

function askLocale() {
  dialog("locale").querySelector("form").reset();
  dialog("locale").showModal();
}
dialog("locale").addEventListener("close", () => {
  if (dialog("locale").returnValue !== "add") return;
  const asked = dialog("locale").querySelector("input").value.trim();
  dialog("locale").returnValue = "";
  if (!/^[a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8}){0,3}$/.test(asked) || asked in state.doc.words) return;
  const [language, ...rest] = asked.split("-");
  locales.add([language.toLowerCase(), ...rest.map((each) => (each.length === 2 ? each.toUpperCase() : each))].join("-"));
  tell(`${spokenLocale(asked)} begins with the words for everybody.`);
});

part("toCode").addEventListener("click", () => dialog("code").showModal());
dialog("code").addEventListener("close", async () => {
  if (dialog("code").returnValue !== "mjml") return;
  dialog("code").returnValue = "";
  const [locale, before] = [state.locale, JSON.stringify(state.part.source)];
  const { mjml, problem } = await preview.refresh(); // what was typed a moment ago belongs to it, too
  if (state.locale !== locale || JSON.stringify(state.part.source) !== before) return;
  if (problem) { tell(`Still blocks: ${problem}`); return; }
  state.selected = null;
  state.change(() => { state.part.source = { ...state.part.source, kind: "mjml", body: mjml }; });
  preview.show("desktop");
  tell("This is MJML from here on. Undo brings the blocks back.");
});

for (const which of ["test", "seeds"]) {
  const box = dialog(which);
  root.querySelector(`[data-open="${which}"]`)?.addEventListener("click", () => {
    box.querySelector("[role=status]").textContent = "";
    box.showModal();
  });
  box?.querySelector("form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const said = box.querySelector("[role=status]");
    const send = box.querySelector("[type=submit]");
    if (send.disabled) return;
    send.disabled = true; // a double click is one test, too
    said.textContent = "Sending…";
    const to = (box.querySelector("[name=to]")?.value ?? "").split(/[\s,;]+/).filter(Boolean);
    try {
      const answer = await post(data.urls[which], { draft: state.doc, locale: state.locale, as: preview.as, to }, [400]);
      said.textContent = answer.problem ? `Not sent: ${answer.problem}` : answer.said;
    } catch { said.textContent = "Not sent: the server did not answer."; }
    send.disabled = false;
  });
}

part("plainChip").hidden = state.doc.channel !== "email";
drawAll();
checks.draw([]);
versions.draw();
tab("content");
preview.show(state.doc.channel === "email" ? (matchMedia("(max-width: 700px)").matches ? "mobile" : "desktop") : "text");
preview.refresh();
askLacking(0);
root.classList.add("ed-is-ready");
