// Saving makes the next version. Whoever saved meanwhile is never written over: both sides are shown, and one chooses.
import { el } from "../contacts/condition_dom.js";
import { framed } from "./editor_state.js";

const dialog = (name) => document.querySelector(`[data-dialog="${name}"]`);
const when = (instant) => `${new Date(instant).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short", timeZone: "UTC" })} UTC`;

export function diff(rows) {
  const signs = { same: " ", gone: "−", new: "+", skipped: "…" };
  const spoken = { gone: "Gone: ", new: "New: " };
  return el("div", { class: "ed-diff", tabindex: "0", role: "region", "aria-label": "What differs" }, ...rows.map(({ op, text }) => el(
    "div", { class: `ed-diff-${op}` }, el("span", { "aria-hidden": "true" }, signs[op]), el("span", { class: "cl-hidden" }, spoken[op] ?? ""), el("code", {}, text),
  )), ...(rows.length ? [] : [el("p", { class: "cl-faint" }, "Both say the same.")]));
}

export class Saving {
  constructor(state, { urls, post, tell, heard, isNew }) {
    Object.assign(this, { state, urls, post, tell, heard, isNew });
    this.button = document.querySelector("[data-save]");
    this.note = document.querySelector("[data-saved]");
    this.button?.addEventListener("click", () => this.save());
    addEventListener("beforeunload", (event) => { if (this.state.isChanged && !this.leaving) { this.state.keep(); event.preventDefault(); } });
    this.offerKept();
    dialog("conflict")?.addEventListener("close", () => this.decided(dialog("conflict").returnValue));
  }

  draw() {
    if (!this.button) return;
    const { isChanged, doc } = this.state;
    this.button.lastElementChild.textContent = isChanged || !doc.base ? `Save as v${doc.base + 1}` : `v${doc.base} is live`;
    this.button.disabled = !isChanged && !this.isNew;
    this.button.classList.toggle("cl-primary", !this.button.disabled);
    this.note.textContent = isChanged ? "Unsaved changes, kept in this browser" : "";
  }

  async save(base = this.state.doc.base) {
    if (this.busy) return;
    this.busy = true;
    this.button.setAttribute("aria-busy", "true");
    this.state.doc.base = base;
    const sent = JSON.stringify(this.state.doc);
    try {
      const answer = await this.post(this.urls.save, { draft: this.state.doc }, [400, 409]);
      if (answer.conflict) this.conflict(answer.conflict);
      else if (answer.problem) {
        this.heard(answer);
        this.tell(`Not saved: ${answer.problem}`);
      } else this.done(answer, sent);
    } catch (failure) {
      this.tell(failure.message === "403" ? "Not saved: you may not change templates, or your session has ended." : "Not saved: the server did not answer. Your words are still here.");
    }
    this.busy = false;
    this.button.removeAttribute("aria-busy");
  }

  done(answer, sent) {
    if (this.isNew) {
      this.state.forget();
      this.leaving = true;
      location.assign(answer.url);
      return;
    }
    const typedOn = JSON.stringify(this.state.doc) !== sent;
    this.state.isSaved(answer.number);
    if (typedOn) { this.state.saved = JSON.stringify({ ...JSON.parse(sent), base: answer.number }); this.state.keep(); }
    this.draw();
    this.tell(answer.changed ? `Saved. Journeys send v${answer.number} from now on.` : "Nothing had changed.");
    document.dispatchEvent(new CustomEvent("editor:saved", { detail: answer }));
  }

  // -- two at once --------------------------------------------------------------------------------------------------

  conflict(theirs) {
    this.theirs = theirs;
    const box = dialog("conflict");
    this.state.keep();
    box.querySelector("[data-who]").textContent = `${theirs.by || "Somebody"} saved v${theirs.number} (${when(theirs.at)}) while you worked on v${this.state.doc.base || "1"}. Nothing is lost: your words are still here.`;
    box.querySelector("[data-diff]").replaceChildren(diff(theirs.diff));
    box.querySelector("[data-mine]").textContent = `Save mine as v${theirs.number + 1}`;
    box.returnValue = "";
    box.showModal();
  }

  decided(choice) {
    if (!this.theirs) return;
    const { number, draft } = this.theirs;
    this.theirs = null;
    if (choice === "mine") this.save(number);
    if (choice === "theirs") {
      this.state.replace(draft);
      this.state.doc.base = number;
      for (const part of Object.values(draft.words)) framed(part.source);
      this.state.saved = JSON.stringify(this.state.doc);
      this.draw();
      this.tell(`This is v${number}. Undo brings your words back.`);
    }
  }

  // -- what this browser kept ---------------------------------------------------------------------------------------

  offerKept() {
    const box = document.querySelector("[data-kept]");
    const [kept] = this.state.kept().filter(({ doc, base }) => JSON.stringify({ ...doc, base: 0 }) !== JSON.stringify({ ...this.state.doc, base: 0 }) && base <= this.state.doc.base);
    if (!box || !kept || !this.state.mayChange) return;
    const stale = kept.base !== this.state.doc.base && !this.isNew ? ` They began from v${kept.base}; v${this.state.doc.base} is live now.` : "";
    box.querySelector("[data-words]").textContent = `This browser kept changes of ${when(kept.at)} that were not saved.${stale}`;
    box.hidden = false;
    box.querySelector("[data-take]").addEventListener("click", () => { this.state.replace(kept.doc); box.hidden = true; });
    box.querySelector("[data-drop]").addEventListener("click", () => { this.state.forget(); box.hidden = true; });
  }
}

// -- versions -------------------------------------------------------------------------------------------------------

export class Versions {
  constructor(box, state, { urls, post, tell, versions, saving }) {
    Object.assign(this, { box, state, urls, post, tell, versions, saving });
    document.addEventListener("editor:saved", ({ detail }) => {
      if (detail.changed) { this.versions.unshift(detail.version); this.draw(); }
    });
  }

  draw() {
    if (!this.versions.length) {
      this.box.replaceChildren(el("p", { class: "cl-faint" }, "Every saving makes a version. None is ever lost, and each can be brought back."));
      return;
    }
    const live = this.state.doc.base;
    const pick = (name, chosen) => el("select", { class: "cl-input", "aria-label": name }, ...this.versions.map(({ number }) => el("option", { value: number, selected: number === chosen }, `v${number}`)));
    const one = pick("Compare", this.versions[1]?.number ?? live);
    const other = pick("With", live);
    const compare = el("button", { type: "button", class: "cl-button cl-small" }, "Compare");
    this.shown = el("div", { class: "ed-shown" });
    compare.addEventListener("click", () => this.compare(one.value, other.value));
    const rows = this.versions.map((version) => {
      const is = version.number === live;
      const look = el("button", { type: "button", class: "cl-button cl-small" }, "Look");
      look.addEventListener("click", () => this.look(version.number));
      const back = el("button", { type: "button", class: "cl-button cl-small" }, "Restore");
      back.addEventListener("click", () => this.restore(version.number));
      return el(
        "li", { class: "ed-version" },
        el("div", {}, el("b", {}, `v${version.number} `), is ? el("span", { class: "cl-pill cl-good" }, "Live") : "", el("small", {}, [version.at ? when(version.at) : "", version.by].filter(Boolean).join(", "))),
        el("div", { class: "cl-actions" }, look, is || !this.state.mayChange ? "" : back),
      );
    });
    this.box.replaceChildren(
      this.versions.length > 1 ? el("div", { class: "ed-compare" }, one, el("span", {}, "with"), other, compare) : "",
      this.shown, el("ul", { class: "cl-plain-list" }, ...rows),
    );
  }

  async compare(one, other) {
    const response = await fetch(`${this.urls.versions}${one}/?with=${other}`).catch(() => null);
    if (!response?.ok) { this.tell("The versions did not come."); return; }
    this.shown.replaceChildren(el("h3", {}, `From v${one} to v${other}`), diff((await response.json()).diff));
    this.shown.firstElementChild.scrollIntoView({ block: "nearest" });
  }

  async look(number) {
    const response = await fetch(`${this.urls.versions}${number}/?look=1`).catch(() => null);
    if (!response?.ok) { this.tell("The version did not come."); return; }
    const { html, text, subject } = await response.json();
    const box = dialog("look");
    box.querySelector("[data-title]").textContent = `v${number}: ${subject}`;
    const frame = box.querySelector("iframe");
    frame.hidden = !html;
    frame.srcdoc = html;
    box.querySelector("pre").hidden = Boolean(html);
    box.querySelector("pre").textContent = text;
    box.showModal();
  }

  async restore(number) {
    if (this.state.isChanged && !confirm("There are unsaved changes here. They stay in this browser, but the page shows the restored version. Go on?")) return;
    try {
      const answer = await this.post(this.urls.restore, { number, base: this.state.doc.base }, [400, 409]);
      if (answer.conflict) this.saving.conflict(answer.conflict);
      else if (answer.problem) this.tell(`Not restored: ${answer.problem}`);
      else { this.saving.leaving = true; location.reload(); }
    } catch { this.tell("Not restored: the server did not answer."); }
  }
}
