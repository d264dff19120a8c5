// Adding people: only the chosen way to say who is shown, another choice takes the count back, and runs are watched until
// they end. Without this script all ways are shown, and a reload says how far the runs are.
const number = new Intl.NumberFormat("en");

const form = document.querySelector("[data-entries]");
if (form) {
  const arrange = () => {
    const chosen = form.querySelector("[name=way]:checked")?.value;
    for (const part of form.querySelectorAll("[data-way]")) part.hidden = part.dataset.way !== chosen;
  };
  const doubt = () => {
    for (const part of form.querySelectorAll("[data-confirm], .en-tried")) part.remove();
  };
  form.addEventListener("change", (event) => {
    arrange();
    if (event.isTrusted) doubt();
  });
  form.addEventListener("input", (event) => {
    if (event.isTrusted) doubt();
  });
  arrange();
}

const runs = document.querySelector("[data-runs]");
if (runs?.querySelector("[data-state=running]")) {
  const look = async () => {
    let found;
    try {
      const answer = await fetch(runs.dataset.runs, { headers: { accept: "application/json" } });
      if (!answer.ok) throw new Error(answer.status);
      found = (await answer.json()).runs;
    } catch {
      setTimeout(look, 4000);
      return;
    }
    let running = false;
    for (const run of found) {
      const row = runs.querySelector(`[data-run="${run.id}"]`);
      if (!row) continue;
      if (row.dataset.state === "running" && run.state !== "running") {
        location.reload();
        return;
      }
      running ||= run.state === "running";
      row.querySelector("[data-bar]").value = 100 * run.share;
      for (const cell of row.querySelectorAll("[data-figure]")) cell.textContent = number.format(run[cell.dataset.figure]);
    }
    if (running) setTimeout(look, 1000);
  };
  setTimeout(look, 300);
}
