// Watches a plan that is being carried out, and shows the page anew once it is done.
const running = document.querySelector("[data-plan]");

if (running) {
  const number = new Intl.NumberFormat("en");
  const look = async () => {
    try {
      const answer = await fetch(running.dataset.plan, { headers: { Accept: "application/json" } });
      if (!answer.ok) throw new Error(answer.statusText);
      const told = await answer.json();
      if (!told.running) {
        location.assign(location.pathname);
        return;
      }
      for (const name of ["moved", "exited", "put_back"]) {
        running.querySelector(`[data-${name}]`).textContent = number.format(told[name]);
      }
    } catch {
      // the server is away for a moment: look again
    }
    setTimeout(look, 1000);
  };
  setTimeout(look, 1000);
}
