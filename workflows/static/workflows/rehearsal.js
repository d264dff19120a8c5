// How far a rehearsal is: asked for every second, until there is a report to show.
const watched = document.querySelector("[data-progress]");

async function look() {
  try {
    const answer = await fetch(watched.dataset.progress, { headers: { accept: "application/json" } });
    if (!answer.ok) throw new Error(String(answer.status));
    const { open, percent, words } = await answer.json();
    watched.querySelector("[data-bar]").value = percent;
    watched.querySelector("[data-words]").textContent = words;
    if (!open) return location.reload();
  } catch {
    watched.querySelector("[data-words]").textContent = "The page cannot reach the server; it goes on asking.";
  }
  setTimeout(look, 1000);
}

if (watched) look();
