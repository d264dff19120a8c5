// The panels beside the blocks: words around them, design, settings, languages, and what the checks found.
import { el, icon } from "../contacts/condition_dom.js";
import { CodeEditor } from "../contacts/code_editor.js";
import { field } from "./editor_fields.js";
import { FONTS, plain, spoken, UNSAID } from "./editor_kinds.js";

const SUBJECT = { name: "subject", label: "Subject", type: "line", max: 900, tags: true };
const PREHEADER = { name: "preheader", label: "Preheader", type: "line", max: 500, tags: true };
const HINTS = {
  subject: [(length) => !length && "A mail without a subject looks like a mistake.", (length) => length > 60 && "Telephones show about 40 letters, desktops about 60."],
  preheader: [(length) => !length && "Left empty, mailboxes show the first words of the mail.", (length) => length > 110 && "Mailboxes show about 100 letters."],
};
const DESIGN = [
  { name: "accent", label: "Buttons and links", type: "colour" }, { name: "background", label: "Ground", type: "colour" },
  { name: "surface", label: "Card", type: "colour" }, { name: "ink", label: "Words", type: "colour" },
  { name: "font", label: "Font", type: "select", options: FONTS },
  { name: "width", label: "Width", type: "number", min: 320, max: 800, hint: "In pixels; 600 fits every mail program" },
  { name: "radius", label: "Round corners", type: "number", min: 0, max: 32, hint: "In pixels" },
];
const GSM = /^[\n\r -_a-z¡£¤¥§¿ÄÅÆÇÉÑÖØÜßàäåæèéìñòöøùüΔΦΓΛΩΠΨΣΘΞ]*$/;
const GSM_TWICE = /[\f^{}\\[\]~|€]/g;

// How many letters of how many text messages. What a merge tag brings is not known yet.
export function segments(text) {
  const plain = text.replaceAll(/\{\{[^}]*\}\}/g, "");
  const isGsm = GSM.test(plain.replaceAll(GSM_TWICE, ""));
  const length = isGsm ? plain.length + (plain.match(GSM_TWICE)?.length ?? 0) : plain.length;
  const [one, many] = isGsm ? [160, 153] : [70, 67];
  return { length, count: length <= one ? 1 : Math.ceil(length / many), isGsm, one };
}

export class Words {
  constructor(box, state, { tags }) {
    Object.assign(this, { box, state, tags });
  }

  set(name, value, options = {}) { this.state.change(() => { this.state.part[name] = value; }, { merge: name, ...options }); }

  draw() {
    const { part, doc } = this.state;
    const held = this.box.contains(document.activeElement) ? document.activeElement.dataset.place : null;
    const parts = [];
    if (doc.kind === "message" && doc.channel !== "sms") parts.push(this.line(doc.channel === "push" ? { ...SUBJECT, label: "Title" } : SUBJECT));
    if (doc.kind === "message" && doc.channel === "email") parts.push(this.line(PREHEADER));
    if (doc.channel !== "email") parts.push(this.short());
    if (doc.channel === "email" && part.source.kind !== "blocks") parts.push(this.code());
    this.box.replaceChildren(...parts);
    if (held) this.box.querySelector(`[data-place="${held}"]`)?.focus();
  }

  act(name, after = () => {}) {
    return { may: this.state.mayChange, typed: (value) => { this.set(name, value, { typed: true }); after(value); }, chosen: (value) => this.set(name, value, { merge: null }) };
  }

  line(spec) {
    const said = el("small", { class: "ed-length", "aria-live": "polite" });
    const say = (value) => {
      const { length } = plain(value);
      const hint = (spec.label === "Title" ? [] : HINTS[spec.name]).map((rule) => rule(length)).find(Boolean);
      said.textContent = [length ? `${value.includes("{{") ? "About " : ""}${length} letters.` : "", hint || ""].join(" ").trim();
    };
    const box = field(spec, this.state.part[spec.name], this.act(spec.name, say), { tags: this.tags, place: spec.name });
    say(this.state.part[spec.name]);
    box.querySelector("input").after(said);
    return box;
  }

  short() {
    const isSms = this.state.doc.channel === "sms";
    const said = el("small", { class: "ed-length", "aria-live": "polite" });
    const say = (value) => {
      const { length, count, isGsm, one } = segments(value);
      said.textContent = isSms
        ? `${length} letters, ${count === 1 ? "one text message" : `${count} text messages`}${isGsm ? "" : `; with letters beyond the plain ones a message holds ${one}`}. Values count as they come.`
        : `${length} letters${length > 150 ? "; telephones show about 150" : ""}.`;
    };
    const box = field({ name: "text", label: isSms ? "Text message" : "Words", type: "area", rows: 6, tags: true, max: 4000 }, this.state.part.text, this.act("text", say), { tags: this.tags, place: "text" });
    say(this.state.part.text);
    box.querySelector("textarea").after(said);
    return box;
  }

  code() {
    const { source } = this.state.part;
    const area = el("textarea", { class: "cl-code-area ed-code", id: "ed-code", "data-place": "body", "aria-describedby": "ed-code-help", readonly: !this.state.mayChange });
    area.value = source.body;
    const box = el("div", { class: "ed-field" }, el("label", { for: "ed-code" }, source.kind.toUpperCase()), area, el("small", { id: "ed-code-help" }, "Tab indents; press Escape first to leave the editor with Tab."));
    new CodeEditor(area, "markup");
    area.addEventListener("input", () => this.state.change(() => { this.state.part.source.body = area.value; }, { merge: "body", typed: true }));
    if (this.state.mayChange) box.append(this.tags.chips(area));
    return box;
  }
}

export class Design {
  constructor(box, state) { Object.assign(this, { box, state }); }

  draw() {
    const { source } = this.state.part;
    if (source.kind !== "blocks") {
      this.box.replaceChildren(el("p", { class: "cl-faint" }, "This template is written as code, so its design is in the code."));
      return;
    }
    const held = this.box.contains(document.activeElement) ? document.activeElement.dataset.place : null;
    const [theme] = source.body;
    this.box.replaceChildren(...DESIGN.map((spec) => {
      const set = (value, options) => this.state.change(() => { this.state.body[0][spec.name] = value; }, options);
      return field(spec, theme[spec.name] ?? UNSAID.theme[spec.name], {
        may: this.state.mayChange, typed: (value) => set(value, { merge: `theme.${spec.name}`, typed: true }), chosen: (value) => set(value),
      }, { place: `blocks.0.${spec.name}` });
    }), el("p", { class: "cl-faint" }, "In dark mode, mail programs that can do so show the mail on a dark ground."));
    if (held) this.box.querySelector(`[data-place="${held}"]`)?.focus();
  }
}

export class Settings {
  constructor(box, state, { layouts, isNew }) { Object.assign(this, { box, state, layouts, isNew }); }

  draw() {
    const { doc, part } = this.state;
    const held = this.box.contains(document.activeElement) ? document.activeElement.dataset.place : null;
    const may = this.state.mayChange;
    const set = (owner, name) => ({
      may,
      typed: (value) => this.state.change(() => { owner()[name] = value; }, { merge: name, typed: true }),
      chosen: (value) => this.state.change(() => { owner()[name] = value; }),
    });
    const parts = [field({ name: "name", label: "Name", type: "line", max: 200 }, doc.name, set(() => this.state.doc, "name"), { place: "name" })];
    parts.push(this.isNew
      ? field({ name: "slug", label: "Slug", type: "line", max: 100, hint: "What journeys and the API call it, for ever. Left empty, it is made of the name." }, doc.slug, set(() => this.state.doc, "slug"), { place: "slug" })
      : el("p", { class: "ed-field" }, el("span", {}, "Journeys call it ", el("code", { class: "cl-code" }, doc.slug), "; that never changes.")));
    if (doc.channel === "email" && doc.kind === "message") {
      const wanted = part.source.kind === "html" ? "html" : "mjml";
      const options = [["", "None"], ...this.layouts.filter((layout) => layout.markup === wanted || layout.slug === part.source.layout).map(({ slug, name }) => [slug, name])];
      parts.push(field({ name: "layout", label: "Layout", type: "select", options, hint: "What is put around the message when it is saved" }, part.source.layout ?? "", {
        may, typed: () => {}, chosen: (value) => this.state.change(() => { this.state.part.source.layout = value || null; }),
      }, { place: "layout" }));
      parts.push(field({ name: "utm", label: "Mark the links for web analytics (utm_source and its like)", type: "check" }, doc.options.utm, set(() => this.state.doc.options, "utm"), { place: "utm" }));
      parts.push(field({
        name: "allow_personal", label: "Personal values that may stand in the subject", type: "line", max: 2000, hint: "Names of attributes, with commas between them",
      }, doc.options.allow_personal.join(", "), {
        may, typed: (value) => this.state.change(() => { this.state.doc.options.allow_personal = value.split(",").map((name) => name.trim()).filter(Boolean); }, { merge: "allow_personal", typed: true }),
      }, { place: "allow_personal" }));
      parts.push(field({
        name: "text", label: "Plain text", type: "area", rows: 6, max: 100000, hint: "For mail programs without HTML. Left empty, it is made of the mail.",
      }, part.text, { may, typed: (value) => this.state.change(() => { this.state.part.text = value; }, { merge: "text", typed: true }) }, { place: "text" }));
    }
    this.box.replaceChildren(...parts);
    if (held) this.box.querySelector(`[data-place="${held}"]`)?.focus();
  }
}

export class Locales {
  constructor(box, state, { ask }) { Object.assign(this, { box, state, ask }); }

  draw() {
    const names = Object.keys(this.state.doc.words).sort();
    const held = this.box.contains(document.activeElement);
    const tabs = names.map((name) => {
      const tab = el("button", { type: "button", class: "cl-chip", "aria-pressed": String(name === this.state.locale), "data-locale": name, title: spokenLocale(name) }, name || "Everybody");
      tab.addEventListener("click", () => this.state.show(name));
      return tab;
    });
    if (this.state.mayChange) {
      const add = el("button", { type: "button", class: "cl-chip", "aria-label": "Add a language", title: "Add a language" }, icon("translate"), icon("add"));
      add.addEventListener("click", () => this.ask());
      tabs.push(add);
      if (this.state.locale) {
        const drop = el("button", { type: "button", class: "cl-chip", "aria-label": `Remove ${spokenLocale(this.state.locale)}`, title: `Remove ${spokenLocale(this.state.locale)}` }, icon("delete"));
        drop.addEventListener("click", () => this.drop());
        tabs.push(drop);
      }
    }
    const others = names.filter(Boolean);
    const said = this.state.locale
      ? `For contacts whose language is ${spokenLocale(this.state.locale)}.${this.state.locale.includes("-") ? "" : ` Also for its kinds, such as ${this.state.locale}-${this.state.locale === "en" ? "GB" : "AT"}, as long as they have no words of their own.`}`
      : others.length ? `For everybody whose language is not ${others.map(spokenLocale).join(", ")}.` : "For everybody. Add a language to say it in their own.";
    this.box.replaceChildren(el("div", { class: "cl-chips", role: "group", "aria-label": "Language" }, ...tabs), el("small", { class: "cl-faint" }, said));
    if (held) this.box.querySelector('[aria-pressed="true"]')?.focus();
  }

  add(name) {
    this.state.locale = name;
    this.state.selected = null;
    this.state.change((doc) => { doc.words[name] = structuredClone(doc.words[""]); });
  }

  drop() {
    const name = this.state.locale;
    this.state.locale = "";
    this.state.selected = null;
    this.state.change((doc) => { delete doc.words[name]; });
  }
}

export function spokenLocale(name) {
  if (!name) return "everybody else";
  try { return new Intl.DisplayNames(["en"], { type: "language" }).of(name) ?? name; } catch { return name; }
}

const WHERE = { subject: "Subject", preheader: "Preheader", text: "Plain text", name: "Name", slug: "Slug", layout: "Layout", body: "Code", allow_personal: "Personal values", utm: "Links" };

export class Checks {
  constructor(box, badge, { go, tryLinks }) {
    Object.assign(this, { box, badge, go });
    this.foot = el("div", { class: "ed-foot" });
    if (!tryLinks) return;
    const said = el("small", { class: "cl-faint", role: "status" });
    const control = el("button", { type: "button", class: "cl-button cl-small" }, icon("link"), "Try every link");
    control.addEventListener("click", async () => {
      said.textContent = "Asking…";
      said.textContent = await tryLinks();
    });
    this.foot.append(control, said);
  }

  where({ locale, place }) {
    const said = WHERE[place] ?? (place.startsWith("blocks.") ? this.go.nameOf(locale, place) : "The mail");
    return locale ? `${said}, ${spokenLocale(locale)}` : said;
  }

  draw(findings) {
    const bad = findings.filter((each) => each.tone === "bad").length;
    this.badge.hidden = !findings.length;
    this.badge.textContent = findings.length;
    this.badge.className = `cl-pill ${bad ? "cl-bad" : "cl-warn"}`;
    if (!findings.length) {
      this.box.replaceChildren(el("p", { class: "cl-problem-none cl-good-text" }, icon("check_circle"), "Nothing to complain of."), this.foot);
      return;
    }
    this.box.replaceChildren(el("ul", { class: "cl-problems" }, ...findings.map((finding) => {
      const item = el(
        "button", { type: "button", class: "cl-problem", "data-to": finding.place },
        el("span", { class: `cl-icon cl-${finding.tone}` }, icon(finding.tone === "bad" ? "error" : finding.tone === "warn" ? "warning" : "info")),
        el("span", {}, el("b", {}, this.where(finding)), el("br"), finding.words),
      );
      item.addEventListener("click", () => this.go(finding));
      return el("li", {}, item);
    })), this.foot);
  }
}
