// The list of blocks: chosen, added, moved (by dragging, by buttons, by keys), doubled, deleted; and the form of the one
// that is chosen, right below it.
import { el, icon } from "../contacts/condition_dom.js";
import { field } from "./editor_fields.js";
import { fresh, kindOf, KINDS, summary, UNSAID } from "./editor_kinds.js";
import { at } from "./editor_state.js";

const placeOf = (path) => `blocks.${path.join(".")}`;
const isSame = (one, other) => one && other && one.join(".") === other.join(".");
const parent = (path) => [path.slice(0, -1), path.at(-1)];

export class Blocks {
  constructor(box, state, { tags, tell }) {
    Object.assign(this, { box, state, tags, tell });
    this.menu = el("div", { class: "ed-popover ed-menu", popover: "auto", role: "menu", "aria-label": "Add a block" });
    this.menu.addEventListener("keydown", (event) => this.walk(event));
    document.querySelector(".cl-page").append(this.menu);
    box.addEventListener("keydown", (event) => this.key(event));
  }

  draw() {
    const held = document.activeElement?.closest?.("[data-part]");
    const was = held && this.box.contains(held) ? [held.closest("[data-path]")?.dataset.path, held.dataset.part] : null;
    this.box.replaceChildren(this.list([], this.state.body));
    if (this.state.mayChange) this.box.append(this.adder([], "Add block"));
    if (was) this.focus(was[0]?.split(".") ?? null, was[1]);
  }

  focus(path, part = "open") {
    const owner = path ? this.box.querySelector(`[data-path="${path.join(".")}"]`) : this.box;
    (owner?.querySelector(`[data-part="${part}"]:not(:disabled)`) ?? owner?.querySelector('[data-part="open"]') ?? this.box.querySelector("button"))?.focus();
  }

  list(path, blocks) {
    const list = el("ol", { class: "ed-blocks", "data-list": path.join(".") });
    blocks.forEach((block, index) => { if (block.type !== "theme") list.append(this.card([...path, index], block)); });
    return list;
  }

  // How many siblings there are before and after it that it may change places with.
  room(path) {
    const [list, index] = parent(path);
    const siblings = at(this.state.body, list);
    const may = (other) => other && other.type !== "theme" && !kindOf(other).locked;
    if (!may(siblings[index])) return { up: false, down: false };
    return { up: may(siblings[index - 1]), down: may(siblings[index + 1]) };
  }

  card(path, block) {
    const kind = kindOf(block);
    const isOpen = isSame(path, this.state.selected);
    const holdsOpen = !isOpen && this.state.selected && path.every((step, index) => step === this.state.selected[index]);
    const id = `ed-block-${path.join("-")}`;
    const open = el(
      "button", { type: "button", class: "ed-block-open", "data-part": "open", "aria-expanded": String(Boolean(isOpen || holdsOpen)), "aria-controls": id, "data-place": placeOf(path) },
      icon(kind.icon), el("span", { class: "ed-block-words" }, el("b", {}, kind.label), el("small", {}, summary(block))),
    );
    open.addEventListener("click", () => { this.state.select(isOpen ? null : path); this.focus(path); });
    const head = el("div", { class: "ed-block-head" }, open);
    if (this.state.mayChange && !kind.locked) {
      const grip = el("span", { class: "ed-grip", draggable: "true", title: "Drag to another place", "aria-hidden": "true" }, icon("drag_indicator"));
      head.append(grip);
      this.drag(grip, path);
    }
    const item = el("li", { class: `ed-block${isOpen ? " ed-is-open" : ""}`, "data-path": path.join(".") }, head);
    if (isOpen || holdsOpen || block.type === "columns") item.append(this.inside(path, block, id, isOpen));
    return item;
  }

  inside(path, block, id, isOpen) {
    const box = el("div", { class: "ed-inside", id });
    const kind = kindOf(block);
    if (isOpen) {
      if (this.state.mayChange && !kind.locked) box.append(this.tools(path, kind));
      for (const spec of kind.fields) box.append(this.field(path, block, spec));
    }
    if (block.type === "columns") {
      block.columns.forEach((column, index) => {
        const inner = [...path, "columns", index];
        const label = `Column ${index + 1}`;
        const group = el("div", { class: "ed-column", role: "group", "aria-label": label }, el("small", { class: "ed-column-name" }, label), this.list(inner, column));
        if (this.state.mayChange) group.append(this.adder(inner, `Add to column ${index + 1}`, true));
        box.append(group);
      });
      if (isOpen && this.state.mayChange) box.append(this.columnCount(path, block));
    }
    return box;
  }

  columnCount(path, block) {
    const three = block.columns.length === 3;
    const control = el("button", { type: "button", class: "cl-button cl-small", "data-part": "count" }, three ? "Make it two columns" : "Make it three columns");
    control.addEventListener("click", () => this.state.change(() => {
      const { columns } = at(this.state.body, path);
      if (three) columns[1].push(...columns.pop());
      else columns.push([{ type: "text", text: "A third column." }]);
    }));
    return control;
  }

  field(path, block, spec) {
    const set = (value, options) => this.state.change(() => { at(this.state.body, path)[spec.name] = value; }, options);
    const place = `${placeOf(path)}.${spec.name}`;
    const value = block[spec.name] ?? UNSAID[block.type]?.[spec.name];
    return field(spec, value, {
      may: this.state.mayChange,
      typed: (typed) => {
        set(typed, { merge: place, typed: true });
        this.resay(path);
      },
      chosen: (chosen) => set(chosen),
    }, { tags: this.tags, place });
  }

  // The words in the list follow what is typed, and so does what holds them.
  resay(path) {
    for (let length = path.length; length > 0; length -= 1) {
      const here = path.slice(0, length);
      const words = this.box.querySelector(`[data-path="${here.join(".")}"] > .ed-block-head small`);
      if (words) words.textContent = summary(at(this.state.body, here));
    }
  }

  tools(path, kind) {
    const room = this.room(path);
    const tool = (part, symbol, label, act, disabled = false) => {
      const control = el("button", { type: "button", class: "ed-tool", "data-part": part, "aria-label": `${label}: ${kind.label}`, title: label, disabled }, icon(symbol));
      control.addEventListener("click", act);
      return control;
    };
    return el(
      "div", { class: "ed-tools", role: "toolbar", "aria-label": `The block ${kind.label}` },
      tool("up", "arrow_upward", "Move up", () => this.move(path, -1), !room.up),
      tool("down", "arrow_downward", "Move down", () => this.move(path, 1), !room.down),
      tool("double", "content_copy", "Duplicate", () => this.double(path)),
      tool("delete", "delete", "Delete", () => this.remove(path)),
    );
  }

  // -- deeds --------------------------------------------------------------------------------------------------------

  move(path, by, part = by < 0 ? "up" : "down") {
    const room = this.room(path);
    if (!(by < 0 ? room.up : room.down)) return;
    const [list, index] = parent(path);
    this.place(list, index, index + by);
    this.focus([...list, index + by], part);
  }

  // Move a block to another place of its list.
  place(list, from, to) {
    const isOpen = this.state.selected?.join(".").startsWith([...list, from].join("."));
    const moved = [...list, to];
    if (isOpen) this.state.selected = [...moved, ...this.state.selected.slice(moved.length)];
    else this.state.selected = null;
    this.state.change(() => {
      const blocks = at(this.state.body, list);
      blocks.splice(to, 0, ...blocks.splice(from, 1));
    });
    const label = kindOf(at(this.state.body, moved)).label;
    this.tell(`${label} is now number ${to + (list.length ? 1 : 0)}.`);
  }

  double(path) {
    const [list, index] = parent(path);
    this.state.selected = [...list, index + 1];
    this.state.change(() => { at(this.state.body, list).splice(index + 1, 0, structuredClone(at(this.state.body, path))); });
    this.focus([...list, index + 1]);
  }

  remove(path) {
    const [list, index] = parent(path);
    const { label } = kindOf(at(this.state.body, path));
    this.state.selected = null;
    this.state.change(() => { at(this.state.body, list).splice(index, 1); });
    const rest = at(this.state.body, list).length;
    this.focus(rest ? [...list, Math.min(Math.max(index, list.length ? 0 : 1), rest - 1)] : parent(parent(list)[0])[0]);
    this.tell(`${label} is deleted.`, { words: "Undo", act: () => this.state.undo() });
  }

  add(list, index, type) {
    this.state.selected = [...list, index];
    this.state.change(() => { at(this.state.body, list).splice(index, 0, fresh(type)); });
    const owner = this.box.querySelector(`[data-path="${[...list, index].join(".")}"]`);
    owner?.scrollIntoView({ block: "nearest" });
    const first = owner?.querySelector(".ed-inside :is(input:not([type=radio]), textarea)");
    if (first) { first.focus(); first.select?.(); } else this.focus([...list, index]);
  }

  adder(list, label, leaf = false) {
    const control = el("button", { type: "button", class: `cl-button ${leaf ? "cl-small " : ""}ed-add`, "data-part": "add", "aria-haspopup": "menu" }, icon("add"), label);
    control.addEventListener("click", () => this.offer(control, list, leaf));
    return control;
  }

  // The menu of kinds; a new block comes below the chosen one, else at the end.
  offer(control, list, leaf) {
    const blocks = at(this.state.body, list);
    const chosen = this.state.selected;
    const isHere = chosen && chosen.length > list.length && list.every((step, index) => step === chosen[index]);
    const end = blocks.length - (kindOf(blocks.at(-1)).locked ? 1 : 0);
    const index = isHere ? Math.min(chosen[list.length] + 1, end) : end;
    this.menu.replaceChildren(...Object.entries(KINDS).filter(([, kind]) => !kind.locked && !(leaf && kind.leaf === false)).map(([type, kind]) => {
      const item = el("button", { type: "button", role: "menuitem", class: "ed-menu-item", "data-type": type }, icon(kind.icon), kind.label);
      item.addEventListener("click", () => { this.menu.hidePopover(); this.add(list, index, type); });
      return item;
    }));
    this.menu.showPopover();
    const box = control.getBoundingClientRect();
    this.menu.style.width = `${Math.max(box.width, 240)}px`;
    this.menu.style.left = `${Math.max(8, Math.min(box.left, innerWidth - this.menu.offsetWidth - 8))}px`;
    const below = box.bottom + 6;
    this.menu.style.top = `${below + this.menu.offsetHeight > innerHeight ? Math.max(8, box.top - this.menu.offsetHeight - 6) : below}px`;
    this.menu.firstElementChild.focus();
  }

  walk(event) {
    const items = [...this.menu.children];
    const here = items.indexOf(document.activeElement);
    const step = { ArrowDown: 2, ArrowUp: -2, ArrowRight: 1, ArrowLeft: -1, Home: -here, End: items.length - 1 - here }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    items[Math.min(items.length - 1, Math.max(0, here + step))].focus();
  }

  // -- keys and dragging --------------------------------------------------------------------------------------------

  key(event) {
    if (!event.target.matches("[data-part=open]")) return;
    const path = event.target.closest("[data-path]").dataset.path.split(".").map((step) => (/^\d+$/.test(step) ? Number(step) : step));
    const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (by && event.altKey) {
      event.preventDefault();
      if (this.state.mayChange) this.move(path, by, "open");
    } else if (by) {
      event.preventDefault();
      const all = [...this.box.querySelectorAll("[data-part=open]")];
      all[all.indexOf(event.target) + by]?.focus();
    } else if (event.key === "Delete" && this.state.mayChange && !kindOf(at(this.state.body, path)).locked) {
      event.preventDefault();
      this.remove(path);
    }
  }

  drag(grip, path) {
    const [list, index] = parent(path);
    grip.addEventListener("dragstart", (event) => {
      event.dataTransfer.effectAllowed = "move";
      event.dataTransfer.setData("text/plain", "");
      const item = grip.closest(".ed-block");
      event.dataTransfer.setDragImage(item, 20, 20);
      item.classList.add("ed-is-dragged");
      const home = item.parentElement;
      let target = index;
      const over = (move) => {
        move.preventDefault();
        const items = [...home.children].filter((each) => each.querySelector(":scope > .ed-block-head .ed-grip"));
        const rest = items.filter((each) => each !== item);
        const before = rest.findIndex((each) => { const box = each.getBoundingClientRect(); return move.clientY < box.top + box.height / 2; });
        const next = before < 0 ? null : rest[before];
        for (const each of items) each.classList.remove("ed-drop-before", "ed-drop-after");
        (next ?? rest.at(-1))?.classList.add(next ? "ed-drop-before" : "ed-drop-after");
        const first = Number(items[0].dataset.path.split(".").at(-1));
        target = before < 0 ? first + rest.length : first + before;
      };
      const drop = (done) => { done.preventDefault(); if (target !== index) this.place(list, index, target); };
      home.addEventListener("dragover", over);
      home.addEventListener("drop", drop);
      grip.addEventListener("dragend", () => {
        home.removeEventListener("dragover", over);
        home.removeEventListener("drop", drop);
        this.draw();
      }, { once: true });
    });
  }
}
