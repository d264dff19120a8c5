// What one contact would get, 300 ms after the last key: made by the server, shown in a frame that may do nothing.
import { el } from "../contacts/condition_dom.js";

const PAUSE = 300;
const HEIGHT = 640; // of the frame's window, at least
const WIDTHS = { desktop: 680, dark: 680, mobile: 375 };
const DARK = /\(\s*prefers-color-scheme\s*:\s*dark\s*\)/g;
const LIGHT = /\(\s*prefers-color-scheme\s*:\s*light\s*\)/g;

// The frame shows light or dark by what was asked for here, not by how this page looks.
function lit(html, dark) {
  const words = html.replace(DARK, dark ? "all" : "not all").replace(LIGHT, dark ? "not all" : "all");
  const before = /<head(?:\s[^>]*)?>/i.exec(words) ?? /<html(?:\s[^>]*)?>/i.exec(words) ?? /^\s*<!doctype[^>]*>/i.exec(words);
  const at = before ? before.index + before[0].length : 0; // a mail may have no head: a browser makes it one
  return `${words.slice(0, at)}<meta name="color-scheme" content="${dark ? "dark" : "light"}">${words.slice(at)}`;
}

export class Preview {
  constructor(root, state, { urls, post, heard }) {
    Object.assign(this, { root, state, urls, post, heard });
    const part = (name) => root.querySelector(`[data-preview="${name}"]`);
    for (const name of ["stage", "frame", "plain", "code", "codeText", "toCode", "subject", "preheader", "problem", "person", "found", "said", "size", "inbox"]) this[name] = part(name);
    this.mode = "desktop";
    this.answer = null;
    this.latest = 0;
    this.as = "";
    for (const chip of root.querySelectorAll("[data-mode]")) chip.addEventListener("click", () => this.show(chip.dataset.mode));
    new ResizeObserver(() => this.fit()).observe(this.stage);
    this.listenForPeople();
  }

  soon(wait = PAUSE) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.refresh(), wait);
  }

  // The answer about the document as it is now.
  async refresh() {
    clearTimeout(this.timer);
    const asked = ++this.latest;
    this.stage.setAttribute("aria-busy", "true");
    let answer;
    try {
      answer = await this.post(this.urls.preview, { draft: this.state.doc, locale: this.state.locale, as: this.as });
    } catch {
      answer = { problem: "The preview did not come; it is tried again at the next key.", faults: [] };
    }
    if (asked !== this.latest) return answer;
    this.stage.removeAttribute("aria-busy");
    this.problem.hidden = !answer.problem;
    this.problem.lastElementChild.textContent = answer.problem ?? "";
    if (!answer.problem) {
      this.answer = answer;
      this.draw();
    }
    this.heard(answer);
    return answer;
  }

  show(mode) {
    this.mode = mode;
    for (const chip of this.root.querySelectorAll("[data-mode]")) chip.setAttribute("aria-pressed", String(chip.dataset.mode === mode));
    this.draw();
  }

  draw() {
    const { mode, answer } = this;
    const isFrame = mode in WIDTHS;
    this.frame.parentElement.hidden = !isFrame;
    this.plain.hidden = mode !== "text";
    this.code.hidden = mode !== "code";
    this.stage.classList.toggle("ed-is-dark", mode === "dark");
    if (!answer) return;
    const isShort = this.state.doc.channel === "sms";
    this.stage.classList.toggle("ed-is-short", this.state.doc.channel !== "email");
    this.subject.textContent = isShort ? "Text message" : answer.subject || "No subject yet";
    this.preheader.textContent = answer.preheader;
    this.said.textContent = answer.as;
    this.size.textContent = answer.size;
    this.plain.textContent = answer.text;
    this.codeText.value = answer.mjml || answer.made;
    this.toCode.hidden = !this.state.mayChange || this.state.part.source.kind !== "blocks";
    if (!isFrame) return;
    const html = lit(answer.html, mode === "dark");
    if (this.frame.srcdoc !== html) this.frame.srcdoc = html;
    this.fit();
  }

  // The frame has the width of a screen and is drawn smaller where the page leaves less room for it.
  fit() {
    const width = WIDTHS[this.mode];
    if (!width) return;
    const box = this.frame.parentElement;
    const room = box.clientWidth;
    const height = Math.max(HEIGHT, box.clientHeight);
    const scale = Math.min(1, room / width);
    Object.assign(this.frame.style, {
      width: `${width}px`, height: `${height / scale}px`, scale: String(scale),
      marginLeft: `${Math.max(0, (room - width * scale) / 2)}px`, marginBottom: `${height - height / scale}px`,
    });
  }

  // -- whom it is for -----------------------------------------------------------------------------------------------

  listenForPeople() {
    if (!this.person) return;
    let timer = 0;
    let latest = 0; // of the questions: an answer that was overtaken is not shown
    const close = () => { latest += 1; clearTimeout(timer); this.found.hidden = true; this.person.setAttribute("aria-expanded", "false"); };
    const choose = (as) => { this.as = as; this.person.value = as; close(); this.refresh(); };
    this.person.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(async () => {
        const term = this.person.value.trim();
        if (!term) { choose(""); return; }
        const asked = ++latest;
        const response = await fetch(`${this.urls.contacts}?q=${encodeURIComponent(term)}`).catch(() => null);
        const people = response?.ok ? (await response.json()).contacts : [];
        if (asked !== latest) return;
        this.found.replaceChildren(...people.map((person, index) => {
          const item = el("li", { role: "option", id: `ed-person-${index}`, "data-id": person.id, class: "ed-menu-item", "aria-selected": "false" }, el("span", { class: "cl-stack" }, person.name, el("small", {}, person.more)));
          item.addEventListener("pointerdown", (event) => { event.preventDefault(); choose(person.id); });
          return item;
        }), ...(people.length ? [] : [el("li", { class: "ed-menu-none" }, "Nobody begins like this")]));
        this.found.hidden = false;
        this.person.setAttribute("aria-expanded", "true");
      }, PAUSE);
    });
    this.person.addEventListener("keydown", (event) => {
      const items = [...this.found.querySelectorAll("[role=option]")];
      const here = items.findIndex((item) => item.getAttribute("aria-selected") === "true");
      if (event.key === "Enter") { event.preventDefault(); choose(items[here]?.dataset.id ?? this.person.value.trim()); }
      if (event.key === "Escape") close();
      if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
      event.preventDefault();
      const next = Math.min(items.length - 1, Math.max(0, here + (event.key === "ArrowDown" ? 1 : -1)));
      items.forEach((item, index) => item.setAttribute("aria-selected", String(index === next)));
      if (items[next]) this.person.setAttribute("aria-activedescendant", items[next].id);
    });
    this.person.addEventListener("blur", close);
  }
}
