// The preview of a template follows the form: 300 ms after the last key it asks the server for the mail as a contact
// would get it, and shows that in a sandboxed frame.
import { CodeEditor } from "../contacts/code_editor.js";

const form = document.getElementById("template-form");
const html = document.getElementById("id_html");
if (html) new CodeEditor(html, "markup");

const frame = document.getElementById("preview-frame");
const subject = document.getElementById("preview-subject");
const problem = document.getElementById("preview-problem");
const plain = document.getElementById("preview-text");
const person = document.getElementById("preview-as");
const label = document.getElementById("preview-label");

let timer = 0;
let latest = 0;

async function refresh() {
  const asked = ++latest;
  const body = new FormData(form);
  body.set("as", person.value);
  let answer;
  try {
    const response = await fetch(form.dataset.preview, { method: "POST", body });
    if (!response.ok) throw new Error(String(response.status));
    answer = await response.json();
  } catch {
    answer = { problem: "The preview did not come; it is tried again at the next key." };
  }
  if (asked !== latest) return;
  problem.hidden = !answer.problem;
  problem.lastElementChild.textContent = answer.problem;
  if (answer.problem) return;
  subject.textContent = answer.subject;
  plain.textContent = answer.text;
  label.textContent = `As ${answer.as} would get it`;
  if (frame.srcdoc !== answer.html) frame.srcdoc = answer.html;
}

function soon() {
  clearTimeout(timer);
  timer = setTimeout(refresh, 300);
}

form?.addEventListener("input", soon);
person?.addEventListener("input", soon);
person?.addEventListener("keydown", (event) => { if (event.key === "Enter") { event.preventDefault(); refresh(); } });

// The frame has the width of a screen and is drawn smaller where the page leaves less room for it.
const stage = frame.parentElement;
const widths = [...document.querySelectorAll("[data-width]")];
let width = 0;

function fit() {
  const style = getComputedStyle(stage);
  const room = stage.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
  const scale = Math.min(1, room / width);
  frame.style.width = `${width}px`;
  frame.style.height = `${560 / scale}px`;
  frame.style.scale = String(scale);
  frame.style.marginLeft = `${Math.max(0, (room - width * scale) / 2)}px`;
  frame.style.marginBottom = `${560 - 560 / scale}px`;
}

function choose(chosen) {
  width = Number(chosen.dataset.width);
  for (const button of widths) button.setAttribute("aria-pressed", String(button === chosen));
  fit();
}

for (const button of widths) button.addEventListener("click", () => choose(button));
choose(widths[matchMedia("(max-width: 700px)").matches ? 1 : 0]);
new ResizeObserver(fit).observe(stage);
