// The controls for the value of a comparison: one text, number, date …, several of them, or a span of time.
import { button, el, icon, select } from "./condition_dom.js";

const UNITS = [["PT#M", "minutes"], ["PT#H", "hours"], ["P#D", "days"], ["P#W", "weeks"]];
const SPAN = /^P(?:T(\d+)([MH])|(\d+)([DW]))$/;
const DATE = /^\d{4}-\d\d-\d\d$/;
const TYPES = {
  text: "text", number: "number", boolean: "yes or no", date: "date", moment: "date and time", ref: "from the entry event",
};

// Which kinds of value go with a field of this type after this operator.
function kinds(type, operator, scope) {
  const moments = ["date", "moment"];
  const single = {
    text: ["text"], number: ["number"], boolean: ["boolean"], instant: moments,
  }[type] ?? {
    scalar: ["text", "number", "boolean"], member: ["text", "number", "boolean"], list: ["text", "number", "boolean"],
    order: ["number", ...moments], text: ["text"], instant: moments,
  }[operator.takes];
  const mayRefer = scope.includes("trigger") && operator.takes !== "list";
  return mayRefer ? [...single, "ref"] : single;
}

function kindOf(value, allowed, seen) {
  if (value === undefined) {
    const wanted = { instant: "date", string: "text" };
    return seen.map((type) => wanted[type] ?? type).find((type) => allowed.includes(type)) ?? allowed[0];
  }
  if (typeof value === "object") return "ref";
  if (typeof value === "number") return "number";
  if (typeof value === "boolean") return "boolean";
  return allowed.includes("text") ? "text" : DATE.test(value) ? "date" : "moment";
}

// Whether only values of this kind were ever seen there: then nobody has to choose.
const isPlain = (row, kind) => row.seen.length === 1 && row.seen[0] === kind && !row.scope.includes("trigger");

// row: {node, operator, type, seen, choices, scope, changed(), redraw(focus)}; returns elements
export function valueControls(row) {
  switch (row.operator.takes) {
    case "nothing": return [];
    case "window": return span(row, row.node, "value");
    case "list": return [several(row)];
    default: return single(row);
  }
}

function single(row) {
  const allowed = kinds(row.type, row.operator, row.scope);
  const kind = allowed.includes(row.kind) ? row.kind : kindOf(row.node.value, allowed, row.seen);
  const controls = [];
  const known = allowed.includes(kind) ? allowed : [kind, ...allowed];
  if (known.length > 1 && !isPlain(row, kind)) {
    controls.push(select("Kind of value", known.map((each) => [each, TYPES[each]]), kind, {
      part: "kind", class: "cq-narrow",
      change(chosen) {
        row.keep(chosen);
        if (chosen === "boolean") row.node.value = true;
        else if (chosen === "ref") row.node.value = { ref: "trigger." };
        else delete row.node.value;
        row.redraw("kind");
      },
    }));
  }
  controls.push(input(kind, row.node.value, row, (value) => {
    if (value === undefined) delete row.node.value;
    else row.node.value = value;
    row.changed();
  }));
  return controls;
}

function input(kind, value, row, set) {
  if (kind === "boolean") {
    if (value === undefined) set(true);
    return select("Value", [["true", "true"], ["false", "false"]], String(value ?? true), {
      part: "value", change: (chosen) => set(chosen === "true"),
    });
  }
  if (kind === "ref") {
    const name = Array.isArray(value.ref) ? value.ref.slice(1).join(" → ") : value.ref.replace(/^trigger\.?/, "");
    const spelt = (text) => (text.includes(" → ") ? ["trigger", ...text.split(" → ")] : `trigger.${text}`);
    return text("Property of the entry event", name, row, (typed) => set({ ref: spelt(typed) }));
  }
  const type = { number: "number", date: "date" }[kind] ?? "text";
  const control = text("Value", value === undefined ? "" : String(value), row, (typed) => {
    if (typed === "" && (kind !== "text" || row.type !== "json")) set(undefined);
    else set(kind === "number" ? Number(typed) : typed);
  }, type);
  if (kind === "number") control.step = "any";
  if (kind === "moment") control.placeholder = "2026-03-04T09:30Z";
  if (kind === "text" && row.choices.length) control.setAttribute("list", row.list("value", row.choices));
  return control;
}

function text(label, value, row, set, type = "text") {
  const control = el("input", { type, class: "cl-input cq-value", "aria-label": label, "data-part": "value", value, autocomplete: "off" });
  control.addEventListener("input", () => set(control.value));
  return control;
}

// A span of ISO 8601 as a number and a unit; one that is not so simple stays the text that it is.
export function span(row, node, key) {
  const written = node[key];
  const match = SPAN.exec(written ?? "P30D");
  const set = (value) => {
    if (value === undefined) delete node[key];
    else node[key] = value;
    row.changed();
  };
  if (!match) {
    const control = text("Duration, ISO 8601", written, row, (typed) => set(typed || undefined));
    control.dataset.part = key;
    return [control];
  }
  const unit = match[2] ? `PT#${match[2]}` : `P#${match[4]}`;
  const number = el("input", {
    type: "number", min: 1, step: 1, class: "cl-input cq-count", "aria-label": "How many", "data-part": key, value: match[1] ?? match[3],
  });
  const chosen = select("Unit", UNITS, unit, { part: "unit", change: () => write() });
  const write = () => set(/^\d+$/.test(number.value) ? chosen.value.replace("#", Number(number.value)) : undefined);
  number.addEventListener("input", write);
  if (written === undefined) {
    node[key] = "P30D";
    row.changed();
  }
  return [number, chosen];
}

function several(row) {
  const { node } = row;
  const values = Array.isArray(node.value) ? node.value : [];
  const allowed = kinds(row.type, row.operator, row.scope);
  const kind = allowed.includes(row.kind) ? row.kind : kindOf(values.at(-1), allowed, row.seen);
  const box = el("div", { class: "cq-several", role: "group", "aria-label": "Values" });
  const read = (typed) => {
    if (kind === "number") return Number.isFinite(Number(typed)) ? Number(typed) : typed;
    return kind === "boolean" && ["true", "false"].includes(typed) ? typed === "true" : typed;
  };
  const add = (typed) => {
    const fresh = typed.map((each) => each.trim()).filter(Boolean).map(read).filter((each) => !values.includes(each));
    if (!fresh.length) return;
    node.value = [...values, ...fresh];
    row.redraw("value");
  };
  const remove = (index) => {
    node.value = values.filter((_, position) => position !== index);
    if (!node.value.length) delete node.value;
    row.redraw("value");
  };
  values.forEach((value, index) => {
    const shown = typeof value === "string" ? value : JSON.stringify(value);
    const gone = button(`Remove ${shown}`, () => remove(index), { class: "cq-chip-remove" });
    gone.append(icon("close"));
    box.append(el("span", { class: `cl-tag cq-chip${typeof value === "string" ? "" : " cl-number"}` }, shown, gone));
  });
  if (allowed.length > 1 && !isPlain(row, kind)) {
    box.append(select("Kind of value", allowed.map((each) => [each, TYPES[each]]), kind, {
      part: "kind", class: "cq-narrow",
      change(chosen) { row.keep(chosen); row.redraw("kind"); },
    }));
  }
  const control = el("input", {
    type: kind === "date" ? "date" : "text", class: "cl-input cq-value", "aria-label": "Add a value, Enter takes it", "data-part": "value",
    placeholder: values.length ? "Another value" : "Value, then Enter", autocomplete: "off",
    inputmode: kind === "number" ? "decimal" : "text",
  });
  const take = () => {
    const typed = control.value;
    control.value = ""; // drawing again takes the focus away, which would report the same text once more
    add([typed]);
  };
  const choices = kind === "boolean" ? [["true", "true"], ["false", "false"]].map(([value, label]) => ({ value, label })) : row.choices;
  if (choices.length && kind !== "number") control.setAttribute("list", row.list("value", choices));
  control.addEventListener("keydown", (event) => {
    if (event.key === "Enter") {
      event.preventDefault();
      take();
    } else if (event.key === "Backspace" && control.value === "" && values.length) {
      event.preventDefault();
      remove(values.length - 1);
    }
  });
  control.addEventListener("paste", (event) => {
    const pasted = event.clipboardData.getData("text").split(/[\n\r\t;,]+/);
    if (pasted.length > 1) {
      event.preventDefault();
      add(pasted);
    }
  });
  control.addEventListener("change", take);
  box.append(control);
  return box;
}
