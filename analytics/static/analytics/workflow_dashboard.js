// A journey's numbers stay up to date: every three seconds, while somebody looks, the page asks for its content with the
// tag of what it shows. What changed is put in its place; what somebody unfolded or is about to press stays.

const EVERY = 3000;
const AFTER_TROUBLE = 10000;

const dashboard = document.getElementById("dashboard");
const status = document.getElementById("dashboard-status");
let tag = dashboard.dataset.tag;
let timer = 0;

function say(text) {
  if (status.textContent !== text) status.textContent = text;
}

function replace(part, fresh) {
  if (part.innerHTML === fresh.innerHTML) return;
  const open = [...part.querySelectorAll("details")].map((each) => each.open);
  const inside = part.contains(document.activeElement) ? document.activeElement : null;
  const stops = "a, summary, [tabindex]";
  const place = inside ? [...part.querySelectorAll(stops)].indexOf(inside) : -1;
  part.innerHTML = fresh.innerHTML; // written by our own templates, which escape every value
  part.querySelectorAll("details").forEach((each, index) => {
    each.open = open[index] ?? false;
  });
  if (place >= 0) part.querySelectorAll(stops)[place]?.focus({ preventScroll: true });
}

async function refresh() {
  clearTimeout(timer);
  if (document.hidden) return;
  let next = EVERY;
  try {
    const response = await fetch(dashboard.dataset.refresh, { cache: "no-store", headers: { "If-None-Match": tag } });
    if (response.status !== 304) {
      if (!response.ok || response.redirected) throw new Error(String(response.status));
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      const parts = [...dashboard.querySelectorAll("[data-part]")];
      const others = [...page.querySelectorAll("[data-part]")];
      if (parts.length === others.length) {
        for (const part of parts) replace(part, page.getElementById(part.id));
      } else {
        dashboard.replaceChildren(...page.body.childNodes); // a section came or went
      }
      tag = response.headers.get("ETag") ?? "";
    }
    say("Live");
  } catch {
    say("The numbers could not be brought up to date; trying again.");
    next = AFTER_TROUBLE;
  }
  timer = setTimeout(refresh, next);
}

document.addEventListener("visibilitychange", refresh);
timer = setTimeout(refresh, EVERY);
