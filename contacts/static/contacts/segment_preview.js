// How many people the condition finds now, who for example, and whether the question is dear. Asked again whenever the
// editor's condition is another one; a question that was overtaken is given up.
const PAUSE = 400;

const card = document.getElementById("segment-preview");
const editor = document.querySelector("[data-condition-editor]");
const part = (name) => card.querySelector(`[data-${name}]`);
const number = new Intl.NumberFormat("en");
let timer = 0;
let asking = null;
let asked = "";

function show({ count, estimated, total, ms, slow, sample, refused }) {
  card.removeAttribute("data-busy");
  part("count").textContent = refused || count === null ? "–" : `${estimated ? "about " : ""}${number.format(count)}`;
  part("of").textContent = refused
    ?? (count === null ? "Too dear to count: the question was given up." : `of ${number.format(total)} contacts, answered in ${number.format(ms)} ms`);
  part("slow").hidden = !slow;
  part("examples").hidden = !sample?.length;
  part("sample").replaceChildren(...(sample ?? []).map(({ name, url }) => {
    const link = Object.assign(document.createElement("a"), { href: url, textContent: name, className: "cl-link" });
    const item = document.createElement("li");
    item.append(link);
    return item;
  }));
}

async function ask(condition) {
  asking = new AbortController();
  card.setAttribute("data-busy", "");
  try {
    const response = await fetch(card.dataset.url, {
      method: "POST",
      signal: asking.signal,
      headers: { "Content-Type": "application/json", "X-CSRFToken": document.querySelector("[name=csrfmiddlewaretoken]").value },
      body: condition,
    });
    if (!response.ok) throw new Error(String(response.status));
    show(await response.json());
  } catch (failure) {
    if (failure.name !== "AbortError") show({ refused: "It could not be counted just now." });
  }
}

editor?.addEventListener("condition:read", ({ detail: { condition, valid } }) => {
  clearTimeout(timer);
  asking?.abort();
  if (!valid) {
    asked = "";
    show({ refused: "Counted as soon as the condition is finished." });
    return;
  }
  if (condition === asked) return;
  timer = setTimeout(() => {
    asked = condition;
    ask(condition);
  }, PAUSE);
});
if (editor) card.hidden = false;
