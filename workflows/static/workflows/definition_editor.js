// The draft of a journey as JSON or YAML: asks the server half a second after the last key what is wrong with the
// journey, marks those lines, and leads from each problem to its place. Of JSON it says at once where the text cannot be
// read, and finds the places by itself; of YAML the server says both.
import { CodeEditor } from "../contacts/code_editor.js";
import { neat, placeOf, read } from "../contacts/json_places.js";

const pathOf = ({ step, field }) => [...(step ? ["steps", step] : []), ...(field ? field.split(".") : [])];

function edit(textarea) {
  const isJson = textarea.dataset.language === "json";
  const editor = new CodeEditor(textarea, textarea.dataset.language);
  const list = document.getElementById("problems");
  const status = document.getElementById("draft-status");
  const format = document.getElementById("draft-format");
  const form = textarea.form;
  const original = textarea.value;
  let saving = false;
  let timer = 0;
  let asked = 0;

  const severer = (one, other) => (one?.severity === "error" ? one : other);

  function finder() {
    const places = isJson ? read(editor.text).places : new Map();
    return ({ dataset }) => {
      if (dataset.offset) return { start: Number(dataset.offset), end: Number(dataset.offset) };
      if (isJson) return placeOf(places, pathOf(dataset));
      return { start: Number(dataset.start ?? 0), end: Number(dataset.end ?? 0) };
    };
  }

  function marksOfList() {
    const find = finder();
    const lines = new Map();
    for (const button of list.querySelectorAll(".cl-problem")) {
      const { severity, message } = button.dataset;
      const line = editor.lineOf(find(button).start);
      const mark = { line, severity: severity === "error" ? "bad" : "warn", message };
      lines.set(line, lines.has(line) ? severer(lines.get(line), mark) : mark);
    }
    editor.mark([...lines.values()]);
  }

  // The server cannot judge what nobody can read: one problem, which leads to where the reading stopped.
  function unreadable(error) {
    const line = editor.lineOf(error.offset);
    status.textContent = "Not saved yet";
    list.replaceChildren(document.getElementById("unreadable").content.cloneNode(true));
    const button = list.querySelector(".cl-problem");
    Object.assign(button.dataset, { offset: error.offset, severity: "error", message: error.message });
    button.querySelector("b").textContent = `Line ${line}`;
    button.querySelector("[data-message]").textContent = error.message;
    editor.mark([{ line, severity: "bad", message: error.message }]);
  }

  async function check() {
    const mine = ++asked;
    const { error } = isJson ? read(editor.text) : {};
    if (error) {
      unreadable(error);
      return;
    }
    status.textContent = editor.text === original ? "" : "Not saved yet";
    const body = new FormData(form);
    let html;
    try {
      const response = await fetch(textarea.dataset.check, { method: "POST", body });
      if (!response.ok) throw new Error(String(response.status));
      html = await response.text();
    } catch {
      if (mine === asked) status.textContent = "The problems could not be checked; saving still checks them";
      return;
    }
    if (mine !== asked) return;
    if (list.innerHTML !== html) list.innerHTML = html;
    marksOfList();
  }

  list.addEventListener("click", (event) => {
    const button = event.target.closest(".cl-problem");
    if (!button) return;
    const place = finder()(button);
    editor.goTo(place.start, place.end);
  });

  textarea.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(check, 500);
  });

  if (format) {
    format.hidden = false;
    format.addEventListener("click", () => {
      const { error } = read(editor.text);
      if (error) {
        check();
        editor.goTo(error.offset);
        return;
      }
      const formatted = neat(JSON.parse(editor.text));
      if (formatted !== editor.text) editor.replace(0, editor.text.length, formatted);
      editor.goTo(0);
    });
  }

  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key === "s" && !textarea.readOnly) {
      event.preventDefault();
      form.requestSubmit(document.querySelector("[name=_save]"));
    }
  });
  form.addEventListener("submit", () => { saving = true; });
  addEventListener("beforeunload", (event) => {
    if (!saving && editor.text !== original) event.preventDefault();
  });

  marksOfList();
}

const shown = document.querySelector("textarea[data-show]");
if (shown) new CodeEditor(shown, "json");

const area = document.getElementById("draft");
if (area) edit(area);
