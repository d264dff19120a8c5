// Draws a condition: groups of rows, each row with its pickers. What people choose is written into the parts of the
// tree; the editor hears of it by `changed` (a value) and `redraw` (the shape).
import { button, el, icon, select } from "./condition_dom.js";
import { GROUPS, group, leaf, pathOf } from "./condition_tree.js";
import { span, valueControls } from "./condition_values.js";

const NAMES = { has_tag: "Tag", in_list: "List", in_segment: "Segment", in_workflow: "Journey" };
const MESSAGES = /^(email|sms|push|send)_/;
const OF_MESSAGE = [["workflow", "Journey"], ["step", "Step"], ["template", "Template"]];
const JOINS = { all: "and", any: "or", none: "or", notall: "and" };
const spell = (field) => (Array.isArray(field) ? field.join(" → ") : field ?? "");

export class Rows {
  // editor: {catalogue, tree, scope, lists (an element for datalists), changed(), redraw(id, part), readOnly}
  constructor(editor) {
    this.editor = editor;
    const { catalogue } = editor;
    this.known = new Map();
    for (const each of [...catalogue.fields, ...catalogue.attributes]) this.known.set(spell(each.field), each);
    this.events = new Map(catalogue.events.map((event) => [event.type, event.properties]));
    this.nodes = new Map(catalogue.nodes.map((node) => [node.key, node]));
    this.operators = catalogue.operators;
  }

  // -- groups ------------------------------------------------------------------------------------------------------

  // where: {path, scope, event (the type that is counted, inside its where), up (the group around), index}
  group(read, where) {
    const rows = el("div", { class: "cq-rows" });
    read.parts.forEach((part, index) => {
      if (index) rows.append(el("li", { class: "cq-join", "aria-hidden": "true" }, JOINS[read.kind]));
      rows.append(this.part(part, { ...where, path: pathOf(read, where.path, index), around: read, index, up: where }));
    });
    const kind = select("How these belong together", Object.entries(GROUPS), read.kind, {
      part: "group",
      change: (chosen) => {
        read.kind = chosen;
        read.bare &&= chosen === "none";
        this.editor.redraw(read.id, "group");
      },
    });
    const add = (part, words, symbol) => {
      const control = button(words, () => {
        read.parts.push(part());
        if (read.parts.length > 1) read.bare = false;
        this.editor.redraw(read.parts.at(-1).id, "first");
      }, { class: "cl-button cl-small", "data-part": `add-${symbol}` });
      control.removeAttribute("aria-label");
      control.append(icon(symbol), words);
      return control;
    };
    const fresh = () => leaf("field", { field: "", op: "eq" });
    const foot = el("div", { class: "cq-foot" },
      add(fresh, "Add a condition", "add"),
      add(() => group(read.kind === "any" ? "all" : "any", [fresh()]), "Add a group", "account_tree"));
    const empty = read.parts.length ? "" : el("p", { class: "cl-faint" }, read.kind === "any" || read.kind === "notall" ? "Nothing here yet: true of nobody." : "Nothing here yet: true of everybody.");
    return el("div", { class: "cq-group", "data-id": read.id, role: "group", "aria-label": GROUPS[read.kind] },
      el("div", { class: "cq-head" }, kind, ...(where.around ? [this.actions(read, where)] : [])), empty, rows, foot);
  }

  part(read, where) {
    const inside = read.type === "group" ? [this.group(read, where)] : this.row(read, where);
    const label = `Condition ${where.index + 1} of ${where.around.parts.length}`;
    const row = el("div", { class: `cq-part cq-is-${read.type}`, "data-id": read.id, "data-path": where.path, role: "group", "aria-label": label }, ...inside);
    row.append(el("p", { class: "cq-problem", id: `problem-${read.id}`, hidden: true }));
    row.addEventListener("keydown", (event) => {
      if (!event.altKey || event.target.closest(".cq-part") !== row) return;
      if (event.key === "ArrowUp" || event.key === "ArrowDown") {
        event.preventDefault();
        this.move(read, where, event.key === "ArrowUp" ? -1 : 1, event.target.dataset.part);
      }
    });
    return row;
  }

  actions(read, where) {
    const act = (label, symbol, deed, part) => {
      const control = button(label, deed, { class: "cq-act", "data-part": part });
      control.append(icon(symbol));
      return control;
    };
    return el("span", { class: "cq-actions" },
      act("Move up", "arrow_upward", () => this.move(read, where, -1, "up"), "up"),
      act("Move down", "arrow_downward", () => this.move(read, where, 1, "down"), "down"),
      act("Put into a group", "data_object", () => {
        where.around.parts[where.index] = group(where.around.kind === "any" ? "all" : "any", [read]);
        this.editor.redraw(read.id, "first");
      }, "wrap"),
      act("Remove", "close", () => this.remove(read, where), "remove"));
  }

  remove(read, { around, index }) {
    around.parts.splice(index, 1);
    const next = around.parts[Math.min(index, around.parts.length - 1)];
    this.editor.redraw((next ?? around).id, next ? "remove" : "add-add");
  }

  // One place up or down; into a group that is there, and out of the group at its end.
  move(read, { around, index, up }, by, part) {
    const beside = around.parts[index + by];
    if (!beside && !up.around) return; // the first or last place of all
    around.parts.splice(index, 1);
    if (!beside) {
      const outside = up.around.parts;
      outside.splice(outside.indexOf(around) + (by > 0 ? 1 : 0), 0, read);
      if (outside.length > 1) up.around.bare = false;
    } else if (beside.type === "group") {
      beside.parts.splice(by > 0 ? 0 : beside.parts.length, 0, read);
      if (beside.parts.length > 1) beside.bare = false;
    } else {
      around.parts.splice(index + by, 0, read);
    }
    this.editor.redraw(read.id, part);
  }

  // -- rows --------------------------------------------------------------------------------------------------------

  row(read, where) {
    const first = el("div", { class: "cq-line" }, this.kind(read, where));
    const lines = [el("div", { class: "cq-first" }, first, this.actions(read, where))];
    if (read.type === "field") first.append(...this.field(read, where));
    else if (read.type === "named") first.append(this.name(read));
    else if (read.type === "event") lines.push(...this.event(read, where, first));
    else lines.push(this.raw(read));
    return lines;
  }

  kind(read, where) {
    const kinds = [["field", "Field"], ...(where.event === undefined ? [["event", "Event"]] : [])];
    kinds.push(...[...this.nodes.keys()].map((key) => [key, NAMES[key] ?? this.nodes.get(key).words]));
    if (read.type === "raw") kinds.unshift(["raw", "As JSON"]);
    const chosen = read.type === "named" ? Object.keys(read.node)[0] : read.type;
    return select("What it asks about", kinds, chosen, {
      part: "first", class: "cq-kind",
      change: (key) => {
        if (key === "raw") return;
        Object.assign(read, { type: this.nodes.has(key) ? "named" : key, where: null, kind: undefined });
        read.node = key === "field" ? { field: "", op: "eq" } : key === "event" ? { event: "" } : { [key]: "" };
        this.editor.redraw(read.id, "first");
      },
    });
  }

  combo(label, part, value, choices, set, settled) {
    const control = el("input", {
      class: "cl-input cq-combo", "aria-label": label, placeholder: label, "data-part": part, value, autocomplete: "off", spellcheck: "false",
      list: this.list(part, choices),
    });
    control.addEventListener("input", () => set(control.value));
    control.addEventListener("change", () => settled?.(control.value));
    return control;
  }

  list(name, choices) {
    const id = `cq-${name}-${this.editor.lists.childElementCount}`;
    const options = choices.map(({ value, label }) => el("option", { value, label: label === value ? undefined : label }));
    this.editor.lists.append(el("datalist", { id }, ...options));
    return id;
  }

  // What a comparison may ask about here: choices for the list, and what is known of each.
  askable(where) {
    const properties = where.event === undefined ? [] : [
      ...this.editor.catalogue.event_fields, ...(this.events.get(where.event) ?? []),
    ];
    return new Map([...properties.map((each) => [spell(each.field), each]), ...this.known]);
  }

  field(read, where) {
    const { node } = read;
    const askable = this.askable(where);
    const choices = [...askable].map(([value, each]) => ({ value, label: each.label }));
    const known = askable.get(spell(node.field));
    const type = known?.type ?? "json";
    const fitting = this.operators.filter((each) => each.types.includes(type) || each.name === node.op);
    const operator = this.operators.find((each) => each.name === node.op);
    const moments = type === "instant" || known?.types?.[0] === "instant";
    const row = {
      node, operator, type, seen: known?.types ?? [], choices: known?.choices ?? [], scope: where.scope, kind: read.kind,
      keep: (kind) => { read.kind = kind; },
      changed: () => this.editor.changed(read.id),
      redraw: (part) => this.editor.redraw(read.id, part),
      list: (name, values) => this.list(name, values),
    };
    return [
      this.combo("Field", "field", spell(node.field), choices, (typed) => {
        node.field = askable.get(typed)?.field ?? (typed.includes(" → ") ? typed.split(" → ") : typed);
        row.changed();
      }, () => {
        if (askable.get(spell(node.field)) === known) return;
        read.kind = undefined;
        row.redraw("op");
      }),
      select("How it compares", fitting.map((each) => [each.name, moments ? each.instant_words : each.words]), node.op, {
        part: "op", class: "cq-op",
        change: (chosen) => {
          const [before, after] = [node.op, chosen].map((name) => this.operators.find((each) => each.name === name).takes);
          node.op = chosen;
          if (after !== before) this.convert(read, after);
          row.redraw("op");
        },
      }),
      ...valueControls(row),
    ];
  }

  convert(read, takes) {
    const { value } = read.node;
    const one = Array.isArray(value) ? value[0] : value;
    const single = ["scalar", "member", "text", "order", "instant"];
    if (takes === "list" && value !== undefined && typeof value !== "object") read.node.value = [value];
    else if (single.includes(takes) && typeof one === (takes === "text" ? "string" : typeof one) && takes !== "instant" && takes !== "order" && one !== undefined && !/^P/.test(String(one))) read.node.value = one;
    else if (takes === "order" && typeof one === "number") read.node.value = one;
    else delete read.node.value;
    read.kind = undefined;
  }

  name(read) {
    const [key] = Object.keys(read.node);
    const { words, choices } = this.nodes.get(key);
    return this.combo(`Which: ${words} …`, key, read.node[key], choices, (typed) => {
      read.node[key] = typed;
      this.editor.changed(read.id);
    });
  }

  raw(read) {
    const area = el("textarea", { class: "cl-code-area cq-raw", "aria-label": "This condition as JSON", "data-part": "raw", rows: 3, spellcheck: "false" });
    area.value = JSON.stringify(read.node);
    area.addEventListener("change", () => {
      try {
        const written = JSON.parse(area.value);
        area.setCustomValidity("");
        Object.assign(read, this.editor.tree.part(written), { id: read.id });
        this.editor.redraw(read.id, "first");
      } catch {
        area.setCustomValidity("This is not JSON; it is kept as it was.");
        area.reportValidity();
      }
    });
    return area;
  }

  // -- events ------------------------------------------------------------------------------------------------------

  event(read, where, line) {
    const { node } = read;
    const { counts, events } = this.editor.catalogue;
    const changed = () => this.editor.changed(read.id);
    const redraw = (part) => this.editor.redraw(read.id, part);
    const never = node.op === "eq" && node.count === 0;
    const ofMessage = MESSAGES.test(node.event);
    line.append(this.combo("Event", "event", node.event, events.map(({ type }) => ({ value: type, label: type })), (typed) => {
      node.event = typed;
      changed();
    }, () => { if (read.where || MESSAGES.test(node.event) !== ofMessage) redraw("op"); }));
    line.append(select("How often", [["never", "never"], ...counts.map((each) => [each.name, each.words])], never ? "never" : node.op ?? "gte", {
      part: "op", class: "cq-op",
      change: (chosen) => {
        if (chosen === "never") Object.assign(node, { op: "eq", count: 0 });
        else {
          if (node.op === "eq" && node.count === 0) node.count = 1;
          node.op = chosen;
        }
        redraw("op");
      },
    }));
    if (!never) {
      const count = el("input", { type: "number", min: 0, step: 1, class: "cl-input cq-count", "aria-label": "Times", "data-part": "count", value: node.count ?? 1 });
      count.addEventListener("input", () => {
        node.count = /^\d+$/.test(count.value) ? Number(count.value) : undefined;
        if (node.count === undefined) delete node.count;
        changed();
      });
      line.append(count, el("span", { class: "cq-word" }, "times"));
    }
    line.append(select("When", [["ever", "at any time"], ["within", "in the last"]], node.within ? "within" : "ever", {
      part: "when",
      change: (chosen) => {
        if (chosen === "ever") delete node.within;
        else node.within = "P30D";
        redraw("when");
      },
    }));
    if (node.within) line.append(...span({ changed }, node, "within"));
    return this.details(read, where, redraw);
  }

  details(read, where, redraw) {
    const { node } = read;
    const lines = [];
    if (MESSAGES.test(node.event) || node.message) lines.push(this.message(read));
    if (read.where) {
      const path = where.path ? `${where.path}.where` : "where";
      const inside = this.group(read.where, { path, scope: [...where.scope, "event"], event: node.event });
      const drop = button("Drop these filters", () => { read.where = null; delete node.where; redraw("where"); }, { class: "cq-act", "data-part": "drop" });
      drop.append(icon("close"));
      lines.push(el("div", { class: "cq-where" }, el("div", { class: "cq-head" }, el("span", { class: "cq-word" }, "only those where"), drop), inside));
    } else if (where.event === undefined) {
      const filter = button("Filter by its properties", () => {
        read.where = group("all", [leaf("field", { field: "", op: "eq" })], true);
        this.editor.redraw(read.where.parts[0].id, "field");
      }, { class: "cl-button cl-small cq-filter", "data-part": "where" });
      filter.removeAttribute("aria-label");
      filter.append(icon("filter_list"), "Filter by its properties");
      lines.push(filter);
    }
    return lines;
  }

  message(read) {
    const { node } = read;
    const line = el("div", { class: "cq-line cq-of" }, el("span", { class: "cq-word" }, "of"));
    for (const [key, words] of OF_MESSAGE) {
      const control = el("input", { class: "cl-input cq-part-of", placeholder: `any ${words.toLowerCase()}`, "aria-label": words, "data-part": "message", value: node.message?.[key] ?? "" });
      control.addEventListener("input", () => {
        const message = { ...node.message, [key]: control.value };
        if (!control.value) delete message[key];
        if (Object.keys(message).length) node.message = message;
        else delete node.message;
        this.editor.changed(read.id);
      });
      line.append(control);
    }
    return line;
  }
}
