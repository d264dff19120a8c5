// The import wizard: a file that is dropped and sent with a bar that moves, columns that show only what they need, and
// a run that is watched until it ends. Without this script everything works with plain forms and a reload.
const number = new Intl.NumberFormat("en");

const upload = document.querySelector("[data-upload]");
if (upload) {
  const input = upload.querySelector("input[type=file]");
  const drop = upload.querySelector("[data-drop]");
  const name = upload.querySelector("[data-name]");
  const show = () => {
    const file = input.files[0];
    name.hidden = !file;
    if (file) name.textContent = `${file.name}, ${number.format(Math.ceil(file.size / 1000))} kB`;
  };
  // Before Unfold hears of it, whose own listener looks for a field of text that only its widget has.
  document.addEventListener("change", (event) => {
    if (event.target !== input) return;
    event.stopImmediatePropagation();
    show();
  }, { capture: true });
  for (const kind of ["dragenter", "dragover"]) {
    drop.addEventListener(kind, (event) => { event.preventDefault(); drop.classList.add("im-over"); });
  }
  for (const kind of ["dragleave", "drop"]) drop.addEventListener(kind, () => drop.classList.remove("im-over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files.length) {
      input.files = event.dataTransfer.files;
      show();
    }
  });
  upload.addEventListener("submit", (event) => {
    if (!input.files.length) return;
    event.preventDefault();
    const button = upload.querySelector("button[type=submit]");
    const words = upload.querySelector("[data-sent]");
    const bar = upload.querySelector("progress");
    const request = new XMLHttpRequest();
    button.disabled = true;
    upload.querySelector("[data-sending]").hidden = false;
    request.upload.addEventListener("progress", ({ loaded, total }) => {
      bar.value = (100 * loaded) / total;
      words.textContent = loaded < total ? `${Math.floor(bar.value)} % sent` : "Sent; the file is being looked at";
    });
    request.addEventListener("load", () => {
      if (request.status === 200 && request.responseURL !== location.href) {
        location.assign(request.responseURL);
        return;
      }
      const answer = new DOMParser().parseFromString(request.responseText, "text/html");
      words.textContent = answer.querySelector("[role=alert]")?.textContent.trim() ?? "It could not be uploaded. Try again.";
      button.disabled = false;
    });
    request.addEventListener("error", () => {
      words.textContent = "The connection was lost. Try again.";
      button.disabled = false;
    });
    request.open("POST", location.href);
    request.send(new FormData(upload));
  });
}

for (const column of document.querySelectorAll("[data-column]")) {
  const to = column.querySelector("[data-to]");
  const arrange = () => {
    for (const part of ["[data-attribute]", "[data-type]"]) column.querySelector(part).hidden = to.value !== "attribute";
  };
  to.addEventListener("change", arrange);
  arrange();
}

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
    if (run.state !== "running") {
      location.reload();
      return;
    }
    const at = performance.now();
    bar.value = 100 * run.share;
    for (const cell of watched.querySelectorAll("[data-figure]")) cell.textContent = number.format(run[cell.dataset.figure]);
    const parts = [`${Math.floor(100 * run.share)} % read`, `line ${number.format(run.line)}`];
    if (before && run.position > before.position) {
      const seconds = (at - before.at) / 1000;
      const left = ((run.size - run.position) * seconds) / (run.position - before.position);
      parts.push(`${number.format(Math.round((run.line - before.line) / seconds))} rows a second`);
      parts.push(left < 90 ? `about ${Math.ceil(left)} s left` : `about ${Math.ceil(left / 60)} min left`);
    }
    words.textContent = parts.join(", ");
    before = before && run.position === before.position ? before : { at, position: run.position, line: run.line };
    setTimeout(look, 1000);
  };
  setTimeout(look, 300);
}
