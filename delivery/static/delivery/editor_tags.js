// The picker of merge tags: values of the contact, each with what stands there when there is none.
import { el, icon } from "../contacts/condition_dom.js";
import { spoken } from "./editor_kinds.js";

export const tagOf = (name, without) => (without ? `{{${name}}}{{^${name}}}${without}{{/${name}}}` : `{{${name}}}`);

// Put words where the caret is, as if they had been typed, as a step of their own to undo.
export function insert(input, words) {
  input.dispatchEvent(new CustomEvent("editor:step", { bubbles: true }));
  const from = input.selectionStart ?? input.value.length;
  const to = input.selectionEnd ?? from;
  input.focus();
  input.setRangeText(words, from, to, "end");
  input.dispatchEvent(new Event("input", { bubbles: true }));
}

export class Tags {
  constructor(names) {
    this.names = names; // [{name, types, shared}]
    this.build();
  }

  build() {
    this.search = el("input", { class: "cl-input", type: "text", "aria-label": "Which value", autocomplete: "off", placeholder: "Find a value", list: "ed-tag-names" });
    this.without = el("input", { class: "cl-input", type: "text", id: "ed-tag-without", autocomplete: "off" });
    const list = el("datalist", { id: "ed-tag-names" }, ...this.names.map(({ name }) => el("option", { value: name }, spoken(name))));
    this.said = el("code", { class: "cl-code ed-tag-said" });
    const put = el("button", { type: "submit", class: "cl-button cl-primary cl-small" }, "Insert");
    const leave = el("button", { type: "button", class: "cl-button cl-small" }, "Not now");
    this.box = el(
      "form", { class: "ed-popover ed-tag-picker", popover: "auto", role: "dialog", "aria-label": "Insert a value" },
      el("label", { class: "ed-field" }, el("span", {}, "Value"), this.search), list,
      el("label", { class: "ed-field", for: "ed-tag-without" }, el("span", {}, "If there is none, say")), this.without,
      this.said, el("div", { class: "cl-actions" }, put, leave),
    );
    leave.addEventListener("click", () => this.box.hidePopover());
    this.box.addEventListener("submit", (event) => {
      event.preventDefault();
      const name = this.name();
      if (!name) { this.search.focus(); return; }
      this.box.hidePopover();
      insert(this.input, tagOf(name, this.without.value.replaceAll(/[{}]/g, "")));
    });
    this.box.addEventListener("input", () => this.say());
    this.box.addEventListener("toggle", (event) => {
      if (event.newState === "closed" && this.box.contains(document.activeElement)) this.input?.focus();
    });
    document.querySelector(".cl-page").append(this.box);
  }

  name() {
    const asked = this.search.value.trim();
    return (this.names.find(({ name }) => name === asked) ?? this.names.find(({ name }) => spoken(name).toLowerCase() === asked.toLowerCase()))?.name
      ?? (/^[\w.-]+$/.test(asked) ? asked : "");
  }

  say() {
    const name = this.name();
    this.said.textContent = name ? tagOf(name, this.without.value.replaceAll(/[{}]/g, "")) : "";
  }

  ask(input, from, name = "") {
    this.input = input;
    this.search.value = name;
    this.without.value = "";
    this.say();
    this.box.showPopover();
    const { left, bottom, top } = from.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = this.box;
    this.box.style.left = `${Math.max(8, Math.min(left, innerWidth - width - 8))}px`;
    this.box.style.top = `${bottom + height + 8 > innerHeight ? Math.max(8, top - height - 6) : bottom + 6}px`;
    (name ? this.without : this.search).focus();
  }

  // The chips below a field: the values that people have most, and all others.
  chips(input, shown = 3) {
    const chips = this.names.slice(0, shown).map(({ name }) => {
      const chip = el("button", { type: "button", class: "cl-chip ed-chip", title: `Insert ${tagOf(name, "")}` }, spoken(name));
      chip.addEventListener("click", () => this.ask(input, chip, name));
      return chip;
    });
    const more = el("button", { type: "button", class: "cl-chip ed-chip", "aria-label": "Insert another value", title: "Insert another value" }, icon("add"));
    more.addEventListener("click", () => this.ask(input, more));
    return el("div", { class: "cl-chips ed-chips" }, ...chips, more);
  }
}
