// The few elements that the condition editor is made of.

export function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(key, "");
    else if (value !== false && value !== undefined && value !== null) element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}

export function icon(name) {
  return el("span", { class: "material-symbols-outlined", "aria-hidden": "true" }, name);
}

// A button that shows only what is appended to it; `label` is its name for whoever does not see that.
export function button(label, act, attributes = {}) {
  const element = el("button", { type: "button", "aria-label": label, title: label, ...attributes });
  element.addEventListener("click", act);
  return element;
}

// choices: [[value, words], …]; change(value) is called after a choice
export function select(label, choices, chosen, { part, change, ...attributes } = {}) {
  const element = el("select", {
    ...attributes, class: `cl-input cq-select ${attributes.class ?? ""}`, "aria-label": label, "data-part": part,
  });
  for (const [value, words] of choices) element.append(el("option", { value, selected: value === chosen }, words));
  element.addEventListener("change", () => change(element.value));
  return element;
}
