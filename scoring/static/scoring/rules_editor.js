// The rules as JSON; each problem that the server found leads to its place.
import { CodeEditor } from "../contacts/code_editor.js";
import { placeOf, read } from "../contacts/json_places.js";

const editor = new CodeEditor(document.getElementById("rules"), "json");

// "rules[2].decay.period" -> ["2", "decay", "period"]
const pathOf = (path) => path.replace(/^rules\.?/, "").split(/[.[\]]+/).filter(Boolean);

document.addEventListener("click", (event) => {
  const button = event.target.closest(".cl-problem");
  if (!button) return;
  const place = placeOf(read(editor.text).places, pathOf(button.dataset.path));
  editor.goTo(place.start, place.end);
});
