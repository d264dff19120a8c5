// Saving a draft, and making it active. Whoever saved meanwhile is never written over: what differs is shown, and one
// chooses.
import { el } from "../contacts/condition_dom.js";

const dialog = (name) => document.querySelector(`[data-dialog="${name}"]`);
const when = (instant) => `${new Date(instant).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short", timeZone: "UTC" })} UTC`;
const TONES = { added: "cl-good", removed: "cl-bad", moved: "cl-plain" };

export function changes(found) {
  return el("ul", { class: "cl-plain-list rs-changes" }, ...found.map(({ kind, word, what, sentences }) => el("li", {},
    el("span", { class: `cl-pill ${TONES[kind] ?? "cl-info"}` }, word), el("div", {}, el("b", {}, what), ...sentences.map((said) => el("p", {}, said))))),
  ...(found.length ? [] : [el("li", { class: "cl-faint" }, "Both say the same.")]));
}

export class Saving {
  constructor(state, { urls, post, tell, heard, name }) {
    Object.assign(this, { state, urls, post, tell, heard, name });
    this.button = document.querySelector("[data-save]");
    this.note = document.querySelector("[data-saved]");
    this.button.addEventListener("click", () => this.save());
    document.querySelector("[data-activate]").addEventListener("click", () => this.ask());
    for (const each of document.querySelectorAll("dialog [data-leave]")) each.addEventListener("click", () => each.closest("dialog").close(""));
    dialog("conflict").addEventListener("close", () => this.decided(dialog("conflict").returnValue));
    dialog("activate").querySelector("form").addEventListener("submit", (event) => { event.preventDefault(); this.activate(); });
    addEventListener("beforeunload", (event) => {
      if (this.leaving || !this.state.isChanged) return;
      this.state.keep();
      event.preventDefault();
    });
    for (const form of document.querySelectorAll("[data-discard]")) form.addEventListener("submit", () => { this.leaving = true; this.state.forget(); });
    this.offerKept();
  }

  draw() {
    const { isChanged } = this.state;
    this.button.disabled = !isChanged;
    this.button.lastElementChild.textContent = isChanged ? "Save" : "Saved";
    if (!this.warned) this.note.textContent = isChanged ? "Unsaved changes, kept in this browser" : "";
  }

  // Who else saved this draft, as the server told while somebody wrote.
  meanwhile({ edits, by, state }) {
    this.warned = edits !== this.state.edits || state !== "draft";
    if (state !== "draft") this.note.textContent = "This draft became active meanwhile.";
    else if (this.warned) this.note.textContent = `${by || "Somebody"} saved this draft meanwhile. Saving shows what differs.`;
    else this.draw();
  }

  async save(edits = this.state.edits) {
    if (this.busy) return false;
    this.busy = true;
    this.button.setAttribute("aria-busy", "true");
    const sent = JSON.stringify(this.state.doc);
    let isDone = false;
    try {
      const answer = await this.post(this.urls.save, { draft: this.state.doc, edits }, [400, 409, 410]);
      if (answer.conflict) this.conflict(answer.conflict);
      else if (answer.gone) this.tell(answer.gone);
      else if (answer.problem) {
        this.heard(answer.problems);
        this.tell(`Not saved: ${answer.problem}`);
      } else {
        this.state.isSaved(answer.edits, sent);
        this.warned = false;
        isDone = true;
      }
    } catch (failure) {
      const words = { 403: "you may not change scoring rules, or your session has ended", 404: "this draft was discarded meanwhile" }[failure.message];
      this.tell(`Not saved: ${words ?? "the server did not answer"}. Your rules are still here, and kept in this browser.`);
    }
    this.busy = false;
    this.button.removeAttribute("aria-busy");
    this.draw();
    return isDone && !this.state.isChanged;
  }

  // -- two at once --------------------------------------------------------------------------------------------------

  conflict(theirs) {
    this.theirs = theirs;
    const box = dialog("conflict");
    this.state.keep();
    box.querySelector("[data-who]").textContent = `${theirs.by || "Somebody"} saved this draft while you worked on it. Nothing is lost: your rules are still here.`;
    box.querySelector("[data-changes]").replaceChildren(changes(theirs.changes));
    box.returnValue = "";
    box.showModal();
  }

  decided(choice) {
    if (!this.theirs) return;
    const { edits, draft } = this.theirs;
    this.theirs = null;
    if (choice === "mine") this.save(edits);
    if (choice === "theirs") {
      this.warned = false;
      this.state.replace(draft);
      this.state.isSaved(edits, JSON.stringify(this.state.doc));
      this.draw();
      this.tell("These are their rules. Undo brings yours back.");
    }
  }

  // -- what this browser kept ---------------------------------------------------------------------------------------

  offerKept() {
    const box = document.querySelector("[data-kept]");
    const kept = this.state.kept();
    if (!kept) return;
    const stale = kept.edits !== this.state.edits ? " The draft was saved since then." : "";
    box.querySelector("[data-words]").textContent = `This browser kept changes of ${when(kept.at)} that were not saved.${stale}`;
    box.hidden = false;
    box.querySelector("[data-take]").addEventListener("click", () => { this.state.replace(kept.doc); box.hidden = true; });
    box.querySelector("[data-drop]").addEventListener("click", () => { this.state.forget(); box.hidden = true; });
  }

  // -- making it active ---------------------------------------------------------------------------------------------

  async ask() {
    if (this.state.isChanged && !await this.save()) return;
    const box = dialog("activate");
    const said = box.querySelector("[data-words]");
    const go = box.querySelector("[data-go]");
    said.textContent = "Counting who would change sides…";
    box.querySelector("[data-changes]").replaceChildren();
    box.querySelector("[data-problem]").textContent = "";
    for (const note of box.querySelectorAll("[data-note]")) note.hidden = true;
    for (const choice of box.querySelectorAll("[name=on_activation]")) choice.checked = choice.value === this.state.doc.on_activation;
    go.disabled = true;
    box.showModal();
    try {
      const { words, changes: found, against, note, problem } = await this.post(this.urls.consequences, {});
      if (problem) throw new Error(problem);
      said.textContent = words;
      box.querySelector("[data-against]").textContent = against ? `What changes from ${against}` : "What it says";
      box.querySelector("[data-changes]").replaceChildren(changes(found));
      const warning = box.querySelector("[data-note]");
      warning.hidden = !note;
      warning.lastElementChild.textContent = note;
    } catch { said.textContent = "Who would change sides could not be counted just now."; }
    go.disabled = false;
  }

  async activate() {
    const box = dialog("activate");
    const problem = box.querySelector("[data-problem]");
    const chosen = box.querySelector("[name=on_activation]:checked")?.value;
    const go = box.querySelector("[data-go]");
    go.disabled = true;
    try {
      const answer = await this.post(this.urls.activate, { edits: this.state.edits, on_activation: chosen }, [400, 409, 410]);
      if (answer.url && !answer.gone) {
        this.leaving = true;
        this.state.forget();
        location.assign(answer.url);
        return;
      }
      problem.textContent = answer.stale ?? answer.gone ?? answer.problem;
    } catch { problem.textContent = "Not activated: the server did not answer."; }
    go.disabled = false;
  }
}
