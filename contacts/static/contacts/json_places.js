// Where things stand in a text of JSON: every path ("steps", "welcome", "config", "template") with its offsets.
// A reader of its own: JSON.parse tells no places, and an unfinished text is the usual case in an editor.

export class Unreadable extends Error {
  constructor(message, offset) {
    super(message);
    this.offset = offset;
  }
}

const SPACE = /[ \t\n\r]*/y;
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const SCALAR = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;
const joined = (path) => path.join("\u0000");

// Returns {places: Map(path -> {start, end}), error: Unreadable | null}. What was read before an error is kept.
export function read(text) {
  const places = new Map();
  let at = 0;

  function take(pattern) {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (!match) return null;
    at = pattern.lastIndex;
    return match[0];
  }

  function fail(expected) {
    const found = at < text.length ? `found ${JSON.stringify(text[at])}` : "the text ends";
    throw new Unreadable(`expected ${expected}, ${found}`, at);
  }

  function sign(char, expected) {
    take(SPACE);
    if (text[at] !== char) fail(expected);
    at++;
  }

  function value(path, from) {
    take(SPACE);
    const start = from ?? at;
    if (text[at] === "{") members(path);
    else if (text[at] === "[") elements(path);
    else if (take(STRING) === null && take(SCALAR) === null) fail("a value");
    places.set(joined(path), { start, end: at });
  }

  function members(path) {
    at++;
    take(SPACE);
    if (text[at] === "}") { at++; return; }
    for (;;) {
      take(SPACE);
      const start = at;
      const key = take(STRING);
      if (key === null) fail("a name in double quotes");
      const inner = [...path, JSON.parse(key)];
      places.set(joined(inner), { start, end: at });
      sign(":", "a colon");
      value(inner, start);
      take(SPACE);
      if (text[at] === ",") { at++; continue; }
      sign("}", "a comma or }");
      return;
    }
  }

  function elements(path) {
    at++;
    take(SPACE);
    if (text[at] === "]") { at++; return; }
    for (let index = 0; ; index++) {
      value([...path, String(index)]);
      take(SPACE);
      if (text[at] === ",") { at++; continue; }
      sign("]", "a comma or ]");
      return;
    }
  }

  try {
    value([]);
    take(SPACE);
    if (at < text.length) fail("the end of the text");
    return { places, error: null };
  } catch (error) {
    if (error instanceof Unreadable) return { places, error };
    throw error;
  }
}

// The place of a path, or of the nearest thing around it that is there: {start, end}.
export function placeOf(places, path) {
  for (let length = path.length; length > 0; length--) {
    const place = places.get(joined(path.slice(0, length)));
    if (place) return place;
  }
  return { start: 0, end: 0 };
}

const LINE = 88;

// JSON as people write it: what fits on a line stays on one. The server spells definitions in the same way.
export function neat(value, indent = "", before = 0) {
  const flat = inline(value);
  if (typeof value !== "object" || value === null || indent.length + before + flat.length <= LINE) return flat;
  const deeper = `${indent}  `;
  const rows = Array.isArray(value)
    ? value.map((part) => deeper + neat(part, deeper))
    : Object.entries(value).map(([key, part]) => {
        const name = `${JSON.stringify(key)}: `;
        return deeper + name + neat(part, deeper, name.length);
      });
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  return `${open}\n${rows.join(",\n")}\n${indent}${close}`;
}

function inline(value) {
  if (Array.isArray(value)) return `[${value.map(inline).join(", ")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  return `{${Object.entries(value).map(([key, part]) => `${JSON.stringify(key)}: ${inline(part)}`).join(", ")}}`;
}
