// A build that is watched until it ends. Without this script the page shows how far it is when it is loaded again.
const watched = document.querySelector("[data-progress]");
const bar = watched.querySelector("[data-bar]");
const words = watched.querySelector("[data-words]");
const look = async () => {
  try {
    const answer = await fetch(watched.dataset.progress, { headers: { accept: "application/json" } });
    if (!answer.ok) throw new Error(answer.status);
    const run = await answer.json();
    if (!run.open) {
      location.reload();
      return;
    }
    bar.value = run.percent;
    words.textContent = run.words;
    setTimeout(look, 1000);
  } catch {
    setTimeout(look, 4000);
  }
};
setTimeout(look, 300);
