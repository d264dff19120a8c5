// "We see your events": asks every two seconds while somebody looks, and changes only what has changed, so that a screen
// reader says it once.

const EVERY = 2000;
const AFTER_TROUBLE = 10000;

const light = document.getElementById("light");
const words = document.getElementById("light-words");
const detail = document.getElementById("light-detail");
let timer = 0;

function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

async function look() {
  clearTimeout(timer);
  if (document.hidden) return;
  let next = EVERY;
  try {
    const answer = await fetch(light.dataset.url, { headers: { Accept: "application/json" }, redirect: "error" });
    if (!answer.ok) throw new Error(answer.status);
    const seen = await answer.json();
    light.dataset.state = seen.state;
    put(words, seen.words);
    put(detail, seen.detail);
  } catch {
    next = AFTER_TROUBLE; // logged out, or a restart: what was seen last stays
  }
  timer = setTimeout(look, next);
}

if (light) {
  document.addEventListener("visibilitychange", look);
  timer = setTimeout(look, EVERY);
}
