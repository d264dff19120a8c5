// The queue-health page stays up to date: every two seconds, while somebody looks, it asks whether anything changed, and
// puts what did in its place. What waited in each lane since the page was opened is drawn, and stands in a table.

const EVERY = 2000;
const AFTER_TROUBLE = 10000;
const MOST = 300; // moments that are kept: ten minutes
const TONES = ["--cl-indigo", "--cl-slate", "--cl-emerald", "--cl-amber"];

const health = document.getElementById("health");
const status = document.getElementById("health-status");
const moment = document.getElementById("health-now");
const canvas = document.getElementById("health-chart");
const past = document.getElementById("health-past");
const pause = document.getElementById("health-pause");
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

let tag = health.dataset.tag;
let paused = false;
let chart = null;
let timer = 0;
const times = [];
const depths = new Map(); // lane -> what waited, moment by moment

function say(text) {
  if (status.textContent !== text) status.textContent = text;
}

function clock(at) {
  return at.toISOString().slice(11, 19);
}

function remember(at) {
  const row = past.tBodies[0].insertRow(0);
  row.insertCell().textContent = clock(at);
  times.push(clock(at));
  for (const { dataset } of health.querySelectorAll("[data-lane]")) {
    if (!depths.has(dataset.lane)) {
      depths.set(dataset.lane, []);
      const head = document.createElement("th");
      head.scope = "col";
      head.className = "cl-right";
      head.textContent = dataset.lane;
      past.tHead.rows[0].append(head);
    }
    depths.get(dataset.lane).push(Number(dataset.depth));
    const cell = row.insertCell();
    cell.className = "cl-right";
    cell.textContent = Number(dataset.depth).toLocaleString("en");
  }
  while (times.length > MOST) {
    times.shift();
    for (const seen of depths.values()) seen.shift();
    past.tBodies[0].deleteRow(-1);
  }
  draw();
}

function draw() {
  const [ink, line] = [css("--cl-soft"), css("--cl-line")];
  const datasets = [...depths].map(([label, data], n) => {
    const colour = css(TONES[n % TONES.length]);
    return { label, data, borderColor: colour, backgroundColor: colour, borderWidth: 2, pointRadius: times.length < 3 ? 3 : 0, tension: 0 };
  });
  if (!chart) {
    chart = new Chart(canvas, {
      type: "line",
      data: { labels: times, datasets },
      options: {
        animation: false,
        maintainAspectRatio: false,
        interaction: { mode: "index", intersect: false },
        plugins: { legend: { align: "start", labels: { color: ink, boxWidth: 12, boxHeight: 12, font: { family: "Inter" } } } },
        scales: {
          x: { grid: { display: false }, border: { color: line }, ticks: { color: ink, maxTicksLimit: 6, maxRotation: 0, font: { family: "Inter" } } },
          y: { beginAtZero: true, suggestedMax: 4, border: { display: false }, grid: { color: line }, ticks: { color: ink, precision: 0, maxTicksLimit: 6, font: { family: "Inter" } } },
        },
      },
    });
    return;
  }
  chart.data.labels = times;
  chart.data.datasets.forEach((known, n) => Object.assign(known, datasets[n]));
  const { scales, plugins } = chart.options;
  plugins.legend.labels.color = scales.x.ticks.color = scales.y.ticks.color = ink;
  scales.x.border.color = scales.y.grid.color = line;
  chart.update("none");
}

function replace(part, fresh) {
  if (part.innerHTML === fresh.innerHTML) return;
  const before = [...part.querySelectorAll(".cl-n")].map((number) => number.textContent);
  const open = [...part.querySelectorAll("details")].map((details) => details.open);
  const behind = [...part.querySelectorAll(".cl-scroll")].map((box) => [box.scrollLeft, box.scrollTop]);
  const own = [part.scrollLeft, part.scrollTop];
  const focusable = "a[href], summary, [tabindex]";
  const focused = [...part.querySelectorAll(focusable)].indexOf(document.activeElement);
  part.innerHTML = fresh.innerHTML; // written by our own templates, which escape every value
  part.querySelectorAll("details").forEach((details, n) => (details.open = open[n] ?? false));
  part.querySelectorAll(".cl-scroll").forEach((box, n) => box.scrollTo(...(behind[n] ?? [0, 0])));
  part.scrollTo(...own);
  part.querySelectorAll(".cl-n").forEach((number, n) => {
    if (before[n] !== undefined && before[n] !== number.textContent) number.classList.add("cl-ticked");
  });
  if (focused >= 0) part.querySelectorAll(focusable)[focused]?.focus({ preventScroll: true });
}

function show(html) {
  const page = new DOMParser().parseFromString(html, "text/html");
  if (!page.getElementById("health-lanes")) throw new Error("another page");
  for (const part of health.querySelectorAll("[data-part]")) {
    const fresh = page.getElementById(part.id);
    if (fresh) replace(part, fresh);
  }
}

async function look() {
  clearTimeout(timer);
  if (paused || document.hidden) return;
  let next = EVERY;
  try {
    const response = await fetch(health.dataset.live, { headers: { "If-None-Match": tag }, cache: "no-store" });
    if (response.status !== 304) {
      if (!response.ok || response.redirected) throw new Error(String(response.status));
      show(await response.text());
      tag = response.headers.get("ETag") ?? "";
    }
    const at = new Date(response.headers.get("Date") ?? Date.now());
    const [day, month, year] = [at.getUTCDate(), at.toLocaleString("en", { month: "short", timeZone: "UTC" }), at.getUTCFullYear()];
    moment.textContent = `${day} ${month} ${year}, ${clock(at)} UTC`;
    say("");
    remember(at);
  } catch {
    say("The numbers could not be brought up to date; trying again.");
    next = AFTER_TROUBLE;
  }
  if (!paused) timer = setTimeout(look, next);
}

pause.addEventListener("click", () => {
  paused = !paused;
  pause.setAttribute("aria-pressed", String(paused));
  pause.querySelector("[data-label]").textContent = paused ? "Go on" : "Pause";
  pause.querySelector(".material-symbols-outlined").textContent = paused ? "play_arrow" : "pause";
  say(paused ? "Paused." : "");
  look();
});
document.addEventListener("visibilitychange", look);
new MutationObserver(draw).observe(document.documentElement, { attributes: true, attributeFilter: ["class"] });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => requestAnimationFrame(draw));
document.getElementById("health-watch").hidden = false;
remember(new Date());
timer = setTimeout(look, EVERY);
