// The gallery of sample journeys: chips that choose a kind, and a look at the map of one.
const gallery = document.getElementById("gallery");
const dialog = document.getElementById("sample-preview");

function show(chip) {
    const { category } = chip.dataset;
    for (const each of gallery.querySelectorAll(".nj-chips button")) each.setAttribute("aria-pressed", each === chip);
    let shown = 0;
    for (const card of gallery.querySelectorAll("li")) {
        card.hidden = Boolean(category) && card.dataset.category !== category;
        shown += card.hidden ? 0 : 1;
    }
    document.getElementById("samples-said").textContent = `${shown} sample${shown === 1 ? "" : "s"} shown`;
}

// Positions come as data: a strict content policy allows no inline styles.
function place(stage) {
    stage.style.width = `${stage.dataset.width}px`;
    stage.style.height = `${stage.dataset.height}px`;
    for (const each of stage.querySelectorAll("[data-x]")) each.style.translate = `${each.dataset.x}px ${each.dataset.y}px`;
    for (const card of stage.querySelectorAll(".jb-hit")) card.disabled = true; // there is nothing behind it yet
    const view = stage.parentElement;
    stage.style.zoom = Math.max(0.5, Math.min(1, (view.clientWidth - 40) / Number(stage.dataset.width)));
    view.scrollLeft = (view.scrollWidth - view.clientWidth) / 2;
}

async function preview(button) {
    try {
        const response = await fetch(button.dataset.preview, { headers: { Accept: "text/html" } });
        if (!response.ok || response.redirected) throw new Error(String(response.status));
        dialog.innerHTML = await response.text(); // written by our own template, which escapes every value
    } catch {
        document.getElementById("samples-said").textContent = "The server cannot be reached. Try again.";
        return;
    }
    dialog.showModal();
    place(dialog.querySelector(".jb-stage"));
}

gallery.addEventListener("click", (event) => {
    const chip = event.target.closest(".nj-chips button");
    if (chip) return show(chip);
    const button = event.target.closest("[data-preview]");
    if (button) return preview(button);
});
dialog.addEventListener("click", (event) => {
    if (event.target === dialog || event.target.closest("[data-shut]")) dialog.close();
});
