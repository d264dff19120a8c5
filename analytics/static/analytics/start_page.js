// The start page stays up to date: every three seconds, while somebody looks, it fetches its own content and puts what
// changed in its place. The chart draws what its table says.

const EVERY = 3000;
const AFTER_TROUBLE = 10000;
const TONES = {
  accepted: "--cl-emerald", rejected: "--cl-rose", in_doubt: "--cl-amber", undetermined: "--cl-rose",
  suppressed: "--cl-amber", capped: "--cl-sky", cancelled: "--cl-slate",
};

const start = document.getElementById("start");
const trouble = document.getElementById("start-trouble");
const canvas = document.getElementById("start-chart");
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

let chart = null;
let timer = 0;

function drawChart() {
  const rows = [...document.querySelectorAll("#outcomes tbody tr")].map((row) => row.dataset);
  const labels = rows.map((row) => row.label);
  const counts = rows.map((row) => Number(row.count));
  const colours = rows.map((row) => css(TONES[row.state] ?? "--cl-slate"));
  const [ink, line] = [css("--cl-soft"), css("--cl-line")];
  canvas.parentElement.hidden = rows.length === 0;
  if (!chart) {
    chart = new Chart(canvas, {
      type: "bar",
      data: { labels, datasets: [{ data: counts, backgroundColor: colours, borderRadius: 6, maxBarThickness: 46 }] },
      options: {
        animation: false,
        maintainAspectRatio: false,
        plugins: { legend: { display: false }, tooltip: { displayColors: false } },
        scales: {
          x: { grid: { display: false }, border: { color: line }, ticks: { color: ink, font: { family: "Inter" } } },
          y: {
            beginAtZero: true,
            border: { display: false },
            grid: { color: line },
            ticks: { color: ink, precision: 0, maxTicksLimit: 6, font: { family: "Inter" } },
          },
        },
      },
    });
    return;
  }
  chart.data.labels = labels;
  Object.assign(chart.data.datasets[0], { data: counts, backgroundColor: colours });
  const { x, y } = chart.options.scales;
  x.ticks.color = y.ticks.color = ink;
  x.border.color = y.grid.color = line;
  chart.update("none");
}

function replace(part, fresh) {
  if (part.innerHTML === fresh.innerHTML) return;
  const before = [...part.querySelectorAll(".cl-n")].map((number) => number.textContent);
  const focused = part.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  part.innerHTML = fresh.innerHTML;
  part.querySelectorAll(".cl-n").forEach((number, index) => {
    if (before[index] !== undefined && before[index] !== number.textContent) number.classList.add("cl-ticked");
  });
  if (focused) part.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

async function refresh() {
  clearTimeout(timer);
  if (document.hidden) return;
  let next = EVERY;
  try {
    const response = await fetch(start.dataset.refresh, { headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    if (!response.ok || !page.getElementById("start")) throw new Error(String(response.status));
    for (const part of start.querySelectorAll("[data-part]")) {
      const fresh = page.getElementById(part.id);
      if (fresh) replace(part, fresh);
    }
    trouble.textContent = "";
    drawChart();
  } catch {
    trouble.textContent = "The numbers could not be brought up to date; trying again.";
    next = AFTER_TROUBLE;
  }
  timer = setTimeout(refresh, next);
}

document.addEventListener("visibilitychange", refresh);
new MutationObserver(drawChart).observe(document.documentElement, { attributes: true, attributeFilter: ["class"] });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => requestAnimationFrame(drawChart));
drawChart();
timer = setTimeout(refresh, EVERY);
