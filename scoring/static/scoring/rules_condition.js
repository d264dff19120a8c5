// The condition builder inside a rule: the rows that segments are built with, for a part of a signal.
import { el } from "../contacts/condition_dom.js";
import { Rows } from "../contacts/condition_rows.js";
import { toJson, Tree } from "../contacts/condition_tree.js";

export class Condition {
  // where: {catalogue, path (of the condition, as the server names it), scope, event (whose properties may be asked for)}
  constructor(where, json, write) {
    Object.assign(this, { catalogue: where.catalogue, scope: where.scope, where, write });
    this.tree = new Tree(where.catalogue);
    this.root = this.tree.root(json);
    this.rows = new Rows(this);
    this.lists = el("div", { hidden: true });
    this.panel = el("div", {});
    this.box = el("div", { class: "cq rs-condition" }, this.panel, this.lists);
    this.box.addEventListener("keydown", (event) => {
      // a letter in a list of choices chooses; the page around has shortcuts of one letter that would take it away
      if (event.target.matches("select") && event.key.length === 1 && !event.ctrlKey && !event.metaKey) event.stopPropagation();
    });
    this.draw();
  }

  get isEmpty() { return !this.root.parts.length; }

  draw() {
    this.lists.replaceChildren();
    const { path, scope, event } = this.where;
    this.panel.replaceChildren(this.rows.group(this.root, { path, scope, event }));
  }

  changed() { this.write(toJson(this.root), this.isEmpty); }

  redraw(id, part) {
    this.changed();
    this.draw();
    const owner = this.panel.querySelector(`[data-id="${id}"]`);
    const wanted = owner?.querySelector(`[data-part="${part}"]`) ?? owner?.querySelector("[data-part]");
    this.box.dispatchEvent(new CustomEvent("rules:drawn", { bubbles: true }));
    wanted?.focus();
    if (wanted?.matches("input[type=text], input:not([type])")) wanted.setSelectionRange(wanted.value.length, wanted.value.length);
  }
}
