// A list of suppressions goes up in pieces, so a long one shows how far it is and has no limit. What was taken stays: a
// list may be brought in twice. Without this script the form sends all of it at once.
import { el } from "../contacts/condition_dom.js";

const ROWS = 500; // in one request, as the server takes them
const FAULTS_SHOWN = 200;
const number = new Intl.NumberFormat("en");
const form = document.querySelector("[data-import]");
const part = (name) => document.querySelector(`[data-taken="${name}"]`);

// The lines of a CSV file; a line break within quotation marks ends none.
function* records(text) {
  let begun = "";
  for (const line of text.split(/\r\n|\n|\r/)) {
    begun = begun ? `${begun}\n${line}` : line;
    if ((begun.split('"').length - 1) % 2) continue;
    yield begun;
    begun = "";
  }
  if (begun) yield begun;
}

class Sending {
  constructor(lines) {
    [this.header, ...this.lines] = lines;
    Object.assign(this, { at: 0, rows: 0, added: 0, standing: 0, refused: 0, faults: [], line: 1 + this.header.split("\n").length });
  }

  async next() {
    const some = this.lines.slice(this.at, this.at + ROWS);
    const body = new FormData(form);
    body.set("list", new Blob([[this.header, ...some].join("\n"), "\n"], { type: "text/csv" }), "list.csv");
    const response = await fetch(location.href, { method: "POST", headers: { accept: "application/json" }, body });
    if (!response.ok && response.status !== 422) throw new Error(String(response.status));
    const told = await response.json();
    if (told.problem) return told.problem;
    for (const name of ["rows", "added", "standing", "refused"]) this[name] += told[name];
    const before = this.line - 1 - this.header.split("\n").length;
    for (const [line, why] of told.faults) if (this.faults.length < FAULTS_SHOWN) this.faults.push([line + before, why]);
    this.at += some.length;
    this.line += some.reduce((sum, each) => sum + each.split("\n").length, 0);
    return "";
  }

  get isDone() { return this.at >= this.lines.length; }
}

function show(sending) {
  part("box").hidden = false;
  part("bar").value = sending.lines.length ? (100 * sending.at) / sending.lines.length : 100;
  for (const name of ["rows", "added", "standing", "refused"]) part(name).textContent = number.format(sending[name]);
  part("faults").hidden = !sending.faults.length;
  part("lines").replaceChildren(...sending.faults.map(([line, why]) => el("tr", {}, el("td", {}, number.format(line)), el("td", { class: "cl-words" }, why[0].toUpperCase() + why.slice(1)))));
}

function say(words) {
  part("words").textContent = words;
}

const stay = (event) => event.preventDefault();

async function goOn(sending) {
  const [button, again] = [form.querySelector("[type=submit]"), part("again")];
  button.disabled = true;
  again.hidden = true;
  addEventListener("beforeunload", stay);
  try {
    do {
      const problem = await sending.next();
      show(sending);
      if (problem) { say(problem); break; }
      say(sending.isDone ? "All of it is taken in." : `${number.format(sending.at)} of ${number.format(sending.lines.length)} lines`);
    } while (!sending.isDone);
  } catch {
    show(sending);
    say("The server did not answer. What was taken stays; go on from here.");
    again.hidden = false;
    again.onclick = () => goOn(sending);
  }
  removeEventListener("beforeunload", stay);
  button.disabled = false;
}

// Before Unfold hears of it, whose own listener looks for a field of text that only its widget has.
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-import] input[type=file]")) event.stopImmediatePropagation();
}, { capture: true });

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const file = form.querySelector("input[type=file]").files[0];
  part("box").hidden = false;
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
    const lines = [...records(text)];
    while (lines.length > 1 && !lines.at(-1).trim()) lines.pop();
    await goOn(new Sending(lines));
  } catch {
    say("The file is not UTF-8. Save it as CSV UTF-8.");
  }
});
