// A textarea made into a small code editor: line numbers, colours, tabs, marked lines. Without this script it stays a
// textarea, and everything still works.

const ESCAPES = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };
export const escapeHtml = (text) => text.replace(/[&<>]/g, (char) => ESCAPES[char]);

const JSON_TOKEN = /"(?:\\.|[^"\\\n])*"?(\s*:)?|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|\b(?:true|false|null)\b/g;
const YAML_TOKEN = /(?<!\S)#[^\n]*|"(?:\\.|[^"\\\n])*"(\s*:(?!\S))?|'[^'\n]*'(\s*:(?!\S))?|[A-Za-z_][\w.-]*(\s*:(?!\S))|\b(?:true|false|null)\b|(?<![\w:-])-?\d+(?:\.\d+)?(?![\w:-])/g;
const MARKUP_TOKEN = /\{\{\{?[^}]*\}\}\}?|<!--[\s\S]*?-->|<\/?[a-zA-Z][^<>]*>/g;

function paint(text, token, kindOf) {
  let html = "";
  let from = 0;
  for (const match of text.matchAll(token)) {
    html += escapeHtml(text.slice(from, match.index));
    html += `<i class="${kindOf(match)}">${escapeHtml(match[0])}</i>`;
    from = match.index + match[0].length;
  }
  return html + escapeHtml(text.slice(from));
}

const jsonKind = (match) => (match[0][0] === '"' ? (match[1] ? "k" : "s") : /^[tfn]/.test(match[0]) ? "w" : "n");
const yamlKind = (match) => (match[0][0] === "#" ? "c" : match[1] ?? match[2] ?? match[3] ? "k" : /^["']/.test(match[0]) ? "s" : /^[tfn]/.test(match[0]) ? "w" : "n");
const markupKind = (match) => (match[0].startsWith("{{") ? "k" : match[0].startsWith("<!--") ? "c" : "w");
const PAINTERS = {
  json: (text) => paint(text, JSON_TOKEN, jsonKind),
  yaml: (text) => paint(text, YAML_TOKEN, yamlKind),
  markup: (text) => paint(text, MARKUP_TOKEN, markupKind),
};

export class CodeEditor {
  constructor(textarea, language) {
    this.textarea = textarea;
    this.painter = PAINTERS[language];
    this.leaving = false;
    this.marks = new Map();
    this.frame = 0;
    this.build();
    textarea.addEventListener("input", () => this.schedule());
    textarea.addEventListener("scroll", () => this.follow(), { passive: true });
    textarea.addEventListener("keydown", (event) => this.key(event));
    textarea.addEventListener("blur", () => { this.leaving = false; });
    this.draw();
  }

  build() {
    const box = document.createElement("div");
    box.className = "cl-editor";
    this.gutter = document.createElement("div");
    this.gutter.className = "cl-gutter";
    this.gutter.setAttribute("aria-hidden", "true");
    this.layer = document.createElement("pre");
    this.layer.className = "cl-layer";
    this.layer.setAttribute("aria-hidden", "true");
    const stack = document.createElement("div");
    stack.className = "cl-editor-text";
    this.textarea.before(box);
    box.append(this.gutter, stack);
    stack.append(this.layer, this.textarea);
    this.textarea.spellcheck = false;
    this.textarea.wrap = "off";
    this.textarea.autocapitalize = "off";
    this.box = box;
  }

  get text() { return this.textarea.value; }

  schedule() {
    if (!this.frame) this.frame = requestAnimationFrame(() => { this.frame = 0; this.draw(); });
  }

  draw() {
    const lines = this.text.split("\n").length;
    let numbers = "";
    for (let line = 1; line <= lines; line++) {
      const mark = this.marks.get(line);
      numbers += mark
        ? `<span class="cl-marked cl-${mark.severity}" title="${escapeHtml(mark.message).replaceAll('"', "&quot;")}">${line}</span>`
        : `<span>${line}</span>`;
    }
    this.gutter.innerHTML = `<div>${numbers}</div>`;
    this.layer.innerHTML = `<code>${this.painter(this.text)}\n</code>`;
    this.follow();
  }

  follow() {
    const { scrollTop, scrollLeft } = this.textarea;
    this.gutter.firstChild.style.translate = `0 ${-scrollTop}px`;
    this.layer.firstChild.style.translate = `${-scrollLeft}px ${-scrollTop}px`;
  }

  // marks: an array of {line, severity, message}
  mark(marks) {
    this.marks = new Map(marks.map((mark) => [mark.line, mark]));
    this.draw();
  }

  lineOf(offset) {
    return this.text.slice(0, offset).split("\n").length;
  }

  goTo(start, end = start) {
    this.textarea.focus({ preventScroll: true });
    this.textarea.setSelectionRange(start, end);
    const height = parseFloat(getComputedStyle(this.textarea).lineHeight);
    this.textarea.scrollTop = Math.max(0, (this.lineOf(start) - 1) * height - this.textarea.clientHeight / 3);
    this.textarea.scrollLeft = 0;
    this.box.scrollIntoView({ block: "nearest", behavior: "auto" });
  }

  // Replaces a range the way typing does, so that Ctrl+Z takes it back.
  replace(start, end, text) {
    this.textarea.focus({ preventScroll: true });
    this.textarea.setSelectionRange(start, end);
    if (!document.execCommand("insertText", false, text)) {
      this.textarea.setRangeText(text, start, end, "end");
      this.textarea.dispatchEvent(new Event("input", { bubbles: true }));
    }
  }

  key(event) {
    if (event.key === "Escape") {
      this.leaving = true; // the next Tab leaves the editor, as it does everywhere else
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || this.textarea.readOnly) return;
    if (event.key === "Tab" && !this.leaving) {
      event.preventDefault();
      this.indent(event.shiftKey);
    } else if (event.key === "Enter") {
      event.preventDefault();
      const { selectionStart, selectionEnd } = this.textarea;
      const line = this.text.slice(this.text.lastIndexOf("\n", selectionStart - 1) + 1, selectionStart);
      const deeper = /[[{>]\s*$/.test(line) && !/<\/[^>]*>\s*$|<[^>]*\/>\s*$/.test(line) ? "  " : "";
      this.replace(selectionStart, selectionEnd, `\n${line.match(/^\s*/)[0]}${deeper}`);
    } else if (event.key !== "Shift") {
      this.leaving = false;
    }
  }

  indent(outwards) {
    const { selectionStart, selectionEnd } = this.textarea;
    const from = this.text.lastIndexOf("\n", selectionStart - 1) + 1;
    const chosen = this.text.slice(from, selectionEnd);
    if (!outwards && !chosen.slice(selectionStart - from).includes("\n")) {
      this.replace(selectionStart, selectionEnd, "  ");
      return;
    }
    const moved = outwards ? chosen.replace(/^ {1,2}/gm, "") : chosen.replace(/^/gm, "  ");
    if (moved === chosen) return;
    this.replace(from, selectionEnd, moved);
    this.textarea.setSelectionRange(from, from + moved.length);
  }
}
