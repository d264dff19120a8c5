// The live page of events: asks for the newest rows every two seconds, and adds those that are not here yet.
const table = document.getElementById("live");
const body = table.tBodies[0];
const status = document.getElementById("live-status");
const pause = document.getElementById("live-pause");
const figures = document.getElementById("live-figures");
const none = document.getElementById("live-none");

const EVERY = 2000;
const MOST = 200;
let paused = false;
let came = 0;

function say(text) {
  if (status.textContent !== text) status.textContent = text;
}

function add(html) {
  const fresh = document.createElement("tbody");
  fresh.innerHTML = html; // written by our own templates, which escape every value
  const known = new Set([...body.rows].map((row) => row.dataset.id));
  const rows = [...fresh.rows].filter((row) => !known.has(row.dataset.id));
  for (const row of rows) row.classList.add("cl-fresh");
  for (const row of body.querySelectorAll(".cl-fresh")) row.classList.remove("cl-fresh");
  body.prepend(...rows);
  while (body.rows.length > MOST) body.deleteRow(-1);
  none.hidden = body.rows.length > 0;
  came += rows.length;
}

async function look() {
  if (!paused && !document.hidden) {
    try {
      const response = await fetch(table.dataset.rows + location.search, { headers: { Accept: "application/json" } });
      if (!response.ok || response.redirected) throw new Error(response.status);
      const answer = await response.json();
      if (!paused) {
        add(answer.rows);
        figures.innerHTML = answer.figures;
        say(came ? `Live. ${came} new since the page was loaded.` : "Live. Nothing new yet.");
      }
    } catch {
      say("The server does not answer; trying again.");
    }
  }
  setTimeout(look, EVERY);
}

pause.addEventListener("click", () => {
  paused = !paused;
  pause.setAttribute("aria-pressed", String(paused));
  pause.querySelector("[data-label]").textContent = paused ? "Go on" : "Pause";
  pause.querySelector(".material-symbols-outlined").textContent = paused ? "play_arrow" : "pause";
  say(paused ? "Paused." : "Live.");
});
pause.hidden = false;
say("Live.");
setTimeout(look, EVERY);
