// A journey's tests: the editor, and a run whose lines are shown as they come.
import { CodeEditor } from "../contacts/code_editor.js";

const textarea = document.getElementById("tests");
new CodeEditor(textarea, "json");

const button = document.querySelector("[data-run]");
const results = document.getElementById("results");
const part = (name, inside = results) => inside.querySelector(`[data-${name}]`);
const copy = (name) => part(name).content.cloneNode(true);

function failure(check) {
  const shown = copy("failure");
  part("place", shown).textContent = `${check.place}.${check.check} at ${check.at}`;
  part("expected", shown).textContent = check.expected;
  part("found", shown).textContent = check.found;
  part("trace", shown).append(...check.trace.map((line) => Object.assign(document.createElement("li"), { textContent: line })));
  return shown;
}

function showCase(said) {
  const shown = copy("case");
  const verdict = part("verdict", shown);
  verdict.textContent = said.passed ? "Passed" : "Failed";
  verdict.classList.add(said.passed ? "cl-good" : "cl-bad");
  part("name", shown).textContent = said.case;
  part("how", shown).textContent = `${said.checks.length} ${said.checks.length === 1 ? "check" : "checks"}, ${said.seconds.toFixed(2)} s`;
  const told = part("told", shown);
  if (said.error) told.append(Object.assign(document.createElement("p"), { textContent: said.error }));
  for (const check of said.checks) if (!check.holds) told.append(failure(check));
  if (said.passed) told.append(Object.assign(document.createElement("p"), { className: "cl-faint", textContent: "Every check holds." }));
  part("told", shown).closest("details").open = !said.passed;
  part("cases").append(shown);
}

function hear(line, run) {
  const said = JSON.parse(line);
  const bar = part("bar");
  if ("begins" in said) {
    bar.max = said.begins;
    run.status = `Running: 0 of ${said.begins} cases`;
  } else if ("case" in said) {
    showCase(said);
    bar.value += 1;
    run.status = `Running: ${bar.value} of ${bar.max} cases`;
  } else if ("cases" in said) {
    run.over = true;
    run.status = said.passed === said.cases ? `All ${said.cases} cases passed.` : `${said.passed} of ${said.cases} cases passed.`;
  } else {
    run.over = true;
    run.status = said.stopped ? `Stopped: ${said.stopped}.` : said.errors.join("\n");
  }
  part("status").textContent = run.status;
}

async function play() {
  const bar = part("bar");
  const run = { over: false, status: "Preparing" };
  button.disabled = true;
  part("cases").replaceChildren();
  Object.assign(bar, { hidden: false, value: 0, max: 1 });
  part("status").textContent = run.status;
  try {
    const response = await fetch(button.dataset.run, { method: "POST", body: new FormData(textarea.form) });
    if (!response.ok) throw new Error(String(response.status));
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      const lines = (rest + read.value).split("\n");
      rest = lines.pop();
      for (const line of lines) if (line) hear(line, run);
    }
    if (!run.over) throw new Error("cut off");
  } catch {
    part("status").textContent = "The tests could not be run to their end. Nothing was changed; try again.";
  } finally {
    button.disabled = false;
    bar.hidden = true;
  }
}

if (button) {
  button.hidden = false;
  button.addEventListener("click", play);
}
