// A back-test that is watched until it ends. Without this script the page shows how far it is when it is loaded again.
const number = new Intl.NumberFormat("en");
const watched = document.querySelector("[data-progress]");
if (watched) {
  const bar = watched.querySelector("[data-bar]");
  const words = watched.querySelector("[data-words]");
  let before = null;
  const look = async () => {
    let run;
    try {
      const answer = await fetch(watched.dataset.progress, { headers: { accept: "application/json" } });
      if (!answer.ok) throw new Error(answer.status);
      run = await answer.json();
    } catch {
      setTimeout(look, 4000);
      return;
    }
    if (!run.open) {
      location.reload();
      return;
    }
    const at = performance.now();
    bar.value = run.percent;
    const parts = run.total
      ? [`${number.format(run.done)} of ${number.format(run.total)} contacts`, `${number.format(run.looked_at)} of them did something`]
      : ["Waiting for its turn"];
    if (before && run.done > before.done) {
      const left = ((run.total - run.done) * (at - before.at)) / 1000 / (run.done - before.done);
      parts.push(left < 90 ? `about ${Math.ceil(left)} s left` : `about ${Math.ceil(left / 60)} min left`);
    }
    words.textContent = parts.join(", ");
    before = before && run.done === before.done ? before : { at, done: run.done };
    setTimeout(look, 1000);
  };
  setTimeout(look, 300);
}
