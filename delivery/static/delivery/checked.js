// Waits for the check of a sending domain that somebody asked for, then shows what was found.
const card = document.querySelector("[data-checked]");
const words = card?.querySelector("[data-words]");
const EVERY = 1500;
const LONG = 90;
let looks = 0;

async function look() {
  looks += 1;
  try {
    const answer = await fetch(card.dataset.checked, { headers: { Accept: "application/json" } });
    if (answer.ok && (await answer.json()).checked) {
      location.reload();
      return;
    }
  } catch {
    words.textContent = "The server does not answer; trying again.";
  }
  if (looks === LONG) words.textContent = "It takes longer than it should: is a worker of the housekeeping lane running?";
  setTimeout(look, EVERY);
}

if (card) setTimeout(look, EVERY);
