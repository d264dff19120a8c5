// Where things stand in a text of JSON: every path ("steps", "welcome", "config", "template") with its offsets.
// A reader of its own, because JSON.parse tells no places, and because an unfinished text is the usual case here.

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

// The place of a problem, or of the nearest thing around it that is there: {start, end}.
export function placeOf(places, step, field) {
  const parts = field ? field.split(".") : [];
  const path = step ? ["steps", step, ...parts] : parts;
  for (let length = path.length; length > 0; length--) {
    const place = places.get(joined(path.slice(0, length)));
    if (place) return place;
  }
  return { start: 0, end: 0 };
}
