// A condition as JSON and as what the editor draws: both ways, without losing anything. Whatever the editor has no
// controls for stays a part of kind "raw", which keeps its JSON as it is. No DOM here.

export const GROUPS = {
  all: "All of these are true",
  any: "At least one of these is true",
  none: "None of these is true",
  notall: "Not all of these are true",
};
const MESSAGE = ["workflow", "step", "template"];

let last = 0;
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
const isScalar = (value) => ["string", "number", "boolean"].includes(typeof value);
const isName = (value) => typeof value === "string" || (Array.isArray(value) && value.every((key) => typeof key === "string"));
const isAbsent = (value) => value === undefined || value === null;
const only = (node, ...keys) => Object.keys(node).every((key) => keys.includes(key));
const part = (fields) => ({ id: ++last, ...fields });

export const group = (kind, parts, bare = false) => part({ type: "group", kind, parts, bare });
export const leaf = (type, node, where = null) => part({ type, node, where });

export class Tree {
  // catalogue: what contacts.conditions.catalogue.describe() says
  constructor(catalogue) {
    this.operators = new Map(catalogue.operators.map((operator) => [operator.name, operator]));
    this.nodes = new Set(catalogue.nodes.map((node) => node.key));
    this.counts = new Set(catalogue.counts.map((count) => count.name));
  }

  // The whole condition: always a group, so that there is a place to add to.
  root(json) {
    const read = this.part(json);
    return read.type === "group" && !(read.bare && read.kind !== "none") ? read : group("all", [read], true);
  }

  part(json) {
    const read = this.group(json) ?? this.leaf(json) ?? leaf("raw", json);
    // the promise that nothing is lost is kept by looking
    return JSON.stringify(toJson(read)) === JSON.stringify(json) ? read : leaf("raw", json);
  }

  group(json) {
    if (!isObject(json) || Object.keys(json).length !== 1) return null;
    const [key] = Object.keys(json);
    const inside = json[key];
    if (key === "not" && isObject(inside)) {
      const [within] = Object.keys(inside);
      if (Object.keys(inside).length === 1 && Array.isArray(inside[within]) && ["all", "any"].includes(within)) {
        return group(within === "any" ? "none" : "notall", inside[within].map((each) => this.part(each)));
      }
      return group("none", [this.part(inside)], true);
    }
    if (!["all", "any"].includes(key) || !Array.isArray(inside)) return null;
    return group(key, inside.map((each) => this.part(each)));
  }

  leaf(json) {
    if (!isObject(json)) return null;
    if ("field" in json) return this.comparison(json) ? leaf("field", { ...json }) : null;
    if ("event" in json) return this.counted(json) ? leaf("event", { ...json }, isAbsent(json.where) ? null : this.root(json.where)) : null;
    const [key] = Object.keys(json);
    return this.nodes.has(key) && only(json, key) && typeof json[key] === "string" ? leaf("named", { ...json }) : null;
  }

  comparison({ field, op, value, ...rest }) {
    const operator = this.operators.get(op);
    if (!operator || !isName(field) || Object.keys(rest).length) return false;
    if (isAbsent(value)) return value === undefined;
    if (operator.takes === "list") return Array.isArray(value) && value.every(isScalar);
    if (operator.takes === "window") return typeof value === "string";
    if (operator.takes === "nothing") return false;
    return isScalar(value) || (isObject(value) && only(value, "ref") && isName(value.ref));
  }

  counted(json) {
    const { event, op, count, within, where, message } = json;
    return only(json, "event", "op", "count", "within", "where", "message")
      && typeof event === "string"
      && (isAbsent(op) || this.counts.has(op))
      && (isAbsent(count) || Number.isSafeInteger(count))
      && (isAbsent(within) || typeof within === "string")
      && (isAbsent(where) || isObject(where))
      && (isAbsent(message) || (isObject(message) && only(message, ...MESSAGE) && Object.values(message).every((each) => typeof each === "string")));
  }
}

export function toJson(read) {
  if (read.type === "group") {
    const parts = read.parts.map(toJson);
    if (read.bare && parts.length === 1) return read.kind === "none" ? { not: parts[0] } : parts[0];
    switch (read.kind) {
      case "none": return { not: { any: parts } };
      case "notall": return { not: { all: parts } };
      default: return { [read.kind]: parts };
    }
  }
  return read.where ? { ...read.node, where: toJson(read.where) } : read.node;
}

const at = (path, key) => (path ? `${path}.${key}` : key);

// The path that the server gives to the part at `index` of a group that stands at `path`.
export function pathOf(read, path, index) {
  if (read.bare && read.parts.length === 1) return read.kind === "none" ? at(path, "not") : path;
  const list = { none: "not.any", notall: "not.all" }[read.kind] ?? read.kind;
  return at(path, `${list}[${index}]`);
}

// "all[0].value[2]" -> ["all", "0", "value", "2"]
export const steps = (path) => path.split(/[.[\]]+/).filter(Boolean);

// Whether a text of JSON holds a number that a browser would change by reading it.
export function hasInexactNumbers(text) {
  const numbers = text.replace(/"(?:[^"\\]|\\.)*"/g, '""').match(/-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g) ?? [];
  return numbers.some((number) => {
    const digits = number.replace(/^-|[eE].*$/g, "").replace(".", "").replace(/^0+|0+$/g, "");
    return digits.length > 15;
  });
}
