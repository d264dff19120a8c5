// What the rules would do to some real contacts, beside what holds now, while somebody writes.
import { el, icon } from "../contacts/condition_dom.js";
import { svg } from "./rules_fields.js";

const SEARCH_AFTER = 250; // milliseconds
const figure = (value) => String(Math.round(value * 10) / 10).replace("-", "−");
const CROSSES = { up: ["arrow_upward", "crosses", "cl-good"], down: ["arrow_downward", "falls", "cl-bad"] };

export class Effect {
  constructor(box, { urls, post, get, draft }) {
    Object.assign(this, { box, urls, post, get, draft });
    this.note = box.querySelector("[data-note]");
    this.rows = box.querySelector("[data-rows]");
    this.ids = null; // whose scores are shown: chosen by the server at first
    this.opened = null;
    this.search = box.querySelector("[data-search]");
    this.found = box.querySelector("[data-found]");
    this.search.addEventListener("input", () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.look(), SEARCH_AFTER);
    });
    this.search.addEventListener("keydown", (event) => {
      if (event.key === "Escape") { this.search.value = ""; this.found.replaceChildren(); }
      if (event.key === "Enter") { event.preventDefault(); this.found.querySelector("button")?.click(); }
      if (event.key === "ArrowDown") { event.preventDefault(); this.found.querySelector("button")?.focus(); }
    });
  }

  // effect: {threshold, rows} or null where the rules cannot be read
  draw(effect, problems) {
    this.box.classList.toggle("rs-is-old", !effect);
    if (!effect) {
      this.note.textContent = problems.length ? "As soon as the rules are finished." : "";
      return;
    }
    this.shown = effect;
    this.ids = effect.rows.map((row) => row.contact_id);
    const turned = effect.rows.filter((row) => row.crosses).length;
    this.note.textContent = !effect.rows.length ? "There are no contacts yet."
      : turned ? `${turned} of these ${turned === 1 ? "contacts changes sides" : "contacts change sides"}.` : "None of these changes sides.";
    this.widest = Math.max(effect.threshold * 1.25, ...effect.rows.flatMap((row) => [Math.abs(row.before), Math.abs(row.after)]), 1);
    const held = document.activeElement?.dataset?.contact;
    this.rows.replaceChildren(...effect.rows.flatMap((row) => this.row(row, effect.threshold)));
    if (held) this.rows.querySelector(`[data-contact="${held}"]`)?.focus();
    if (this.opened) this.explain(this.opened);
  }

  row(row, threshold) {
    const open = el("button", { type: "button", class: "rs-who", "aria-expanded": String(this.opened === row.contact_id), "data-contact": row.contact_id, title: "Rule by rule" },
      el("b", {}, row.name), row.more ? el("small", {}, row.more) : "");
    open.addEventListener("click", () => {
      this.opened = this.opened === row.contact_id ? null : row.contact_id;
      this.draw(this.shown, []);
    });
    const [symbol, words, tone] = CROSSES[row.crosses] ?? [];
    const turned = symbol ? el("span", { class: `cl-pill ${tone}` }, icon(symbol), words) : "";
    const line = el("tr", {},
      el("th", { scope: "row" }, open, this.bars(row, threshold)),
      el("td", { class: "cl-right" }, figure(row.before)),
      el("td", { class: "cl-right" }, el("b", {}, figure(row.after)), turned));
    if (this.opened !== row.contact_id) return [line];
    return [line, el("tr", { class: "rs-why" }, el("td", { colspan: 3, "data-why": row.contact_id }, el("span", { class: "cl-faint" }, "One moment…")))];
  }

  bars({ before, after, crosses }, threshold) {
    const width = (value) => `${Math.min(100, (Math.abs(value) / this.widest) * 100)}%`;
    const tone = after < 0 ? "negative" : crosses === "up" ? "up" : "now";
    const at = `${(threshold / this.widest) * 100}%`;
    return svg("svg", { class: "rs-bars", width: "100%", height: "16", "aria-hidden": "true" },
      svg("rect", { class: "rs-bar-ground", width: "100%", height: "16", rx: "3" }),
      svg("rect", { class: "rs-bar-before", width: width(before), height: "5", y: "2", rx: "2" }),
      svg("rect", { class: `rs-bar-${tone}`, width: width(after), height: "6", y: "8", rx: "2" }),
      svg("line", { class: "rs-bar-threshold", x1: at, x2: at, y1: "0", y2: "16" }));
  }

  async explain(contact) {
    try {
      const answer = await this.post(this.urls.explain, { draft: this.draft(), contact });
      const place = this.rows.querySelector(`[data-why="${contact}"]`);
      if (!place || answer.problem) return;
      const lines = answer.rules.map(({ name, before, after }) => el("tr", { class: before === after ? "" : "rs-differs" }, el("th", { scope: "row" }, name), el("td", { class: "cl-right" }, figure(before)), el("td", { class: "cl-right" }, figure(after))));
      const link = el("a", { class: "cl-link", href: this.shown.rows.find((row) => row.contact_id === contact).url }, "Open the contact");
      place.replaceChildren(lines.length
        ? el("table", { class: "rs-reasons" }, el("caption", { class: "cl-hidden" }, "Rule by rule, now and under this draft"), el("tbody", {}, ...lines))
        : el("p", { class: "cl-faint" }, "No rule gives anything here, now or under this draft."), link);
    } catch { /* the row stays as it is; the next change asks again */ }
  }

  async look() {
    const term = this.search.value.trim();
    if (!term) { this.found.replaceChildren(); return; }
    const answer = await this.get(`${this.urls.contacts}?q=${encodeURIComponent(term)}`).catch(() => null);
    if (!answer || this.search.value.trim() !== term) return;
    this.found.replaceChildren(...answer.contacts.map((each) => {
      const choose = el("button", { type: "button", class: "rs-found" }, el("b", {}, each.name), el("small", {}, each.more));
      choose.addEventListener("click", () => {
        this.ids = [each.id, ...(this.ids ?? []).filter((id) => id !== each.id)].slice(0, 12);
        this.search.value = "";
        this.found.replaceChildren();
        this.search.focus();
        this.box.dispatchEvent(new CustomEvent("rules:chosen", { bubbles: true }));
      });
      return el("li", {}, choose);
    }), ...(answer.contacts.length ? [] : [el("li", { class: "cl-faint" }, "Nobody is found by that.")]));
  }
}
