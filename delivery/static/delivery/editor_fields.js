// Fields of a form, made of their descriptions. Every control says what it changed through `act.typed(value)` (the
// control shows it already) or `act.chosen(value)`.
import { el, icon } from "../contacts/condition_dom.js";
import { NETWORKS } from "./editor_kinds.js";

let made = 0;

export function field(spec, value, act, { tags, place }) {
  const id = `ed-f${++made}`;
  const hints = [spec.hint ? el("small", { id: `${id}-hint` }, spec.hint) : null].filter(Boolean);
  const control = CONTROLS[spec.type](spec, value, act, id);
  const input = control.matches("input, textarea, select") ? control : control.querySelector("input, textarea, select");
  if (hints.length) input?.setAttribute("aria-describedby", `${id}-hint`);
  if (place) input?.setAttribute("data-place", place);
  if (!act.may) for (const each of [control, ...control.querySelectorAll("*")]) if ("disabled" in each) each.disabled = true;
  if (spec.type === "check") return el("div", { class: "ed-field ed-check" }, control, el("label", { for: id }, spec.label), ...hints);
  const isGroup = control.matches("fieldset");
  const box = el("div", { class: "ed-field" }, isGroup ? "" : el("label", { for: id }, spec.label), control, ...hints);
  if (spec.tags && act.may) box.append(tags.chips(input, spec.type === "address" ? 0 : 3));
  return box;
}

const typing = (input, act, read = (control) => control.value) => {
  input.addEventListener("input", () => act.typed(read(input)));
  return input;
};

const CONTROLS = {
  line: (spec, value, act, id) => typing(el("input", { id, class: "cl-input", type: "text", value: value ?? "", maxlength: spec.max ?? 300, autocomplete: "off" }), act),
  address: (spec, value, act, id) => typing(el("input", { id, class: "cl-input", type: "text", inputmode: "url", value: value ?? "", maxlength: 2000, autocomplete: "off", spellcheck: "false" }), act),
  number: (spec, value, act, id) => typing(
    el("input", { id, class: "cl-input ed-number", type: "number", value: value ?? spec.min, min: spec.min, max: spec.max, step: 1 }), act,
    (input) => Math.round(Math.min(spec.max, Math.max(spec.min, Number(input.value) || 0))),
  ),
  colour: (spec, value, act, id) => {
    const words = el("code", { class: "cl-code", "aria-hidden": "true" }, value);
    const input = el("input", { id, class: "ed-colour", type: "color", value });
    input.addEventListener("input", () => { words.textContent = input.value; act.typed(input.value); });
    return el("span", { class: "ed-colour-row" }, input, words);
  },
  check: (spec, value, act, id) => {
    const input = el("input", { id, type: "checkbox", checked: Boolean(value) });
    input.addEventListener("change", () => act.chosen(input.checked));
    return input;
  },
  select: (spec, value, act, id) => {
    const input = el("select", { id, class: "cl-input" }, ...spec.options.map(([name, words]) => el("option", { value: name, selected: name === value }, words)));
    input.addEventListener("change", () => act.chosen(input.value));
    return input;
  },
  choice: (spec, value, act, id) => el(
    "fieldset", { class: "ed-choice" }, el("legend", {}, spec.label),
    ...spec.options.map(([name, words], index) => {
      const input = el("input", { type: "radio", name: id, id: `${id}-${index}`, value: name, checked: String(name) === String(value) });
      input.addEventListener("change", () => act.chosen(spec.numeric ? Number(name) : name));
      return el("label", {}, input, el("span", {}, words));
    }),
  ),
  html: (spec, value, act, id) => typing(el("textarea", { id, class: "cl-input ed-area ed-mono", rows: 8, maxlength: 100000, spellcheck: "false" }, value ?? ""), act),
  area: (spec, value, act, id) => typing(el("textarea", { id, class: "cl-input ed-area", rows: spec.rows ?? 5, maxlength: spec.max ?? 20000 }, value ?? ""), act),
  rich: (spec, value, act, id) => {
    const area = typing(el("textarea", { id, class: "cl-input ed-area", rows: 5, maxlength: 20000 }, value ?? ""), act);
    const tool = (symbol, label, deed) => {
      const control = el("button", { type: "button", class: "ed-tool", "aria-label": label, title: label }, icon(symbol));
      control.addEventListener("click", () => { deed(); area.dispatchEvent(new Event("input", { bubbles: true })); area.focus(); });
      return control;
    };
    const around = (before, after) => () => wrap(area, before, after);
    area.addEventListener("keydown", (event) => {
      const marks = { b: ["**", "**"], i: ["*", "*"], k: ["[", "](https://)"] }[event.key.toLowerCase()];
      if (!marks || !(event.ctrlKey || event.metaKey) || event.shiftKey) return;
      event.preventDefault();
      wrap(area, ...marks);
      area.dispatchEvent(new Event("input", { bubbles: true }));
    });
    return el(
      "div", { class: "ed-rich" },
      el("div", { class: "ed-tools", role: "toolbar", "aria-label": "How the words look" },
        tool("format_bold", "Bold (Ctrl+B)", around("**", "**")), tool("format_italic", "Italic (Ctrl+I)", around("*", "*")),
        tool("link", "Link (Ctrl+K)", around("[", "](https://)")), tool("format_list_bulleted", "List", () => list(area))),
      area,
    );
  },
  links: (spec, value, act, id) => {
    const links = value ?? [];
    const rows = links.map((link, index) => {
      const network = el("select", { class: "cl-input", "aria-label": `Network of link ${index + 1}` }, ...NETWORKS.map(([name, words]) => el("option", { value: name, selected: name === link.network }, words)));
      network.addEventListener("change", () => act.chosen(links.map((each, at) => (at === index ? { ...each, network: network.value } : each))));
      const href = typing(el("input", { class: "cl-input", type: "text", value: link.href, "aria-label": `Address of link ${index + 1}`, maxlength: 2000, "data-part": `links.${index}.href` }), {
        typed: (text) => { links[index] = { ...links[index], href: text }; act.typed(links.map((each) => ({ ...each }))); },
      });
      const gone = el("button", { type: "button", class: "ed-tool", "aria-label": `Remove link ${index + 1}`, title: "Remove" }, icon("close"));
      gone.addEventListener("click", () => act.chosen(links.filter((_, at) => at !== index)));
      return el("div", { class: "ed-link" }, network, gone, href);
    });
    const add = el("button", { type: "button", class: "cl-button cl-small", disabled: links.length >= 12 }, icon("add"), "Add a link");
    add.addEventListener("click", () => act.chosen([...links, { network: "website", href: "https://" }]));
    return el("fieldset", { class: "ed-links", id }, el("legend", {}, spec.label), ...rows, add);
  },
};

function wrap(area, before, after) {
  const { selectionStart: from, selectionEnd: to, value } = area;
  const words = value.slice(from, to) || "words";
  area.setRangeText(before + words + after, from, to, "preserve");
  area.setSelectionRange(from + before.length, from + before.length + words.length);
}

function list(area) {
  const { value, selectionStart, selectionEnd } = area;
  const from = value.lastIndexOf("\n", selectionStart - 1) + 1;
  const end = value.indexOf("\n", selectionEnd);
  const to = end < 0 ? value.length : end;
  const lines = value.slice(from, to).split("\n");
  const isList = lines.every((line) => line.startsWith("- "));
  area.setRangeText(lines.map((line) => (isList ? line.slice(2) : `- ${line}`)).join("\n"), from, to, "end");
}
