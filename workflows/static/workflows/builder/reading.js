// A map to read: the results of a journey, or two versions of it. Nothing here changes anything.
import { nearest, WAYS } from "./keys.js";
import { Live } from "./live.js";
import { Minimap } from "./minimap.js";
import { pan } from "./panning.js";
import { Stage } from "./stage.js";

const builder = document.getElementById("builder");
const panel = document.getElementById("builder-panel");
const stage = new Stage(builder);
let shown = null;

async function show(step) {
    if (!builder.dataset.reading) return;
    const response = await fetch(builder.dataset.reading.replace("STEP", encodeURIComponent(step)), { cache: "no-store" });
    if (!response.ok || response.redirected) return close();
    const html = await response.text();
    const focused = panel.contains(document.activeElement);
    panel.innerHTML = html; // written by our own template, which escapes every value
    panel.hidden = false;
    if (focused) panel.querySelector("[data-close]").focus({ preventScroll: true });
    if (shown !== step) stage.show(step); // the map is narrower now
    shown = step;
}

function close() {
    shown = null;
    panel.hidden = true;
    panel.replaceChildren();
    stage.focus();
}

builder.addEventListener("builder:chosen", (event) => show(event.detail.step));
builder.addEventListener("click", (event) => {
    const at = (selector) => event.target.closest(selector);
    if (at("a")) return;
    const zoom = at("[data-zoom]");
    if (zoom) return stage.zoom(zoom.dataset.zoom);
    if (builder.dataset.reading && at("[data-close]")) return close();
    const card = at(".jb-card, [data-card]");
    if (card) stage.choose(card.dataset.step ?? card.dataset.card);
});
document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && shown !== null) return close();
    const card = event.target.closest?.(".jb-card");
    if (!card || !WAYS[event.key]) return;
    event.preventDefault();
    const next = nearest(stage.cards(), card, WAYS[event.key]);
    if (next) {
        stage.look(next.dataset.step);
        stage.show(next.dataset.step, { centre: false });
    }
});

const live = new Live(builder, () => {
    if (shown !== null) show(shown);
});
pan(stage.view);
new Minimap(builder, stage);
stage.place();
stage.begin();
live.begin();
