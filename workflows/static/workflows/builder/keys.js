// The map by keyboard. The card that is looked at is the one tab stop; everything else is reached from it. All of it is
// listed in the dialog that "?" opens.
export const WAYS = { ArrowDown: [0, 1], ArrowUp: [0, -1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };
const SIZES = { "-": "out", "=": "in", 0: "whole", f: "fit" };
const PUSH = 120; // pixels that Shift and an arrow move the map

export function listenToKeys({ builder, stage, server, menu }) {
    const help = document.getElementById("builder-keys");
    builder.addEventListener("click", (event) => event.target.closest("[data-keys]") && help.showModal());
    help.addEventListener("keydown", (event) => event.stopPropagation()); // its Escape closes nothing else

    document.addEventListener("keydown", (event) => {
        if (event.defaultPrevented || event.target.closest?.("input, select, textarea, [contenteditable], dialog")) return;
        if ((event.ctrlKey || event.metaKey) && !event.altKey) return history(event);
        if (event.altKey || event.ctrlKey || event.metaKey) return;
        const on = event.target === document.body ? stage.view : event.target;
        const place = on.closest("#builder-stage .jb-card, #builder-stage .jb-plus, #builder-view");
        if (!place) return;
        const deed = event.key === "?" ? () => help.showModal() : deedOf(event, place);
        if (!deed) return;
        event.preventDefault();
        deed();
    });

    function history(event) {
        const key = event.key.toLowerCase();
        if (key !== "z" && key !== "y") return;
        event.preventDefault();
        server.send({ operation: key === "y" || event.shiftKey ? "redo" : "undo" });
    }

    function deedOf(event, place) {
        const way = WAYS[event.key];
        if (way && event.shiftKey) return () => stage.view.scrollBy(way[0] * PUSH, way[1] * PUSH);
        if (SIZES[event.key]) return () => stage.zoom(SIZES[event.key]);
        if (place.matches(".jb-plus")) return deedAtPlus(event, place, way);
        const card = place.matches(".jb-card") ? place : stage.card(stage.current);
        const step = card.dataset.step;
        if (way) return () => go(nearest(stage.cards(), card, way));
        if (event.key === "Home") return () => go(stage.cards()[0]);
        if (event.key === "End") return () => go(stage.cards().at(-1));
        if (event.key === "a" || event.key === "+") return () => add(after(step));
        if (event.key === "b" && step !== ".trigger") return () => add(before(step));
        if (event.key === "Delete" && step !== ".trigger") return () => server.send({ operation: "remove", step });
        return null;
    }

    function deedAtPlus(event, plus, way) {
        if (way && way[0]) return () => nearest(pluses(), plus, way)?.focus();
        if (way) return () => go(nearest(stage.cards(), plus, way));
        if (event.key === "Escape") return () => stage.focus();
        return null;
    }

    function go(card) {
        if (!card) return;
        stage.look(card.dataset.step);
        stage.show(card.dataset.step, { centre: false });
    }

    // One "+" opens at once; of several the first has the focus, and the arrows go on to the others.
    function add(places) {
        if (places.length === 1) menu.open(places[0]);
        else places[0]?.focus();
    }

    function pluses() {
        return [...stage.element.querySelectorAll(".jb-plus")];
    }

    function after(step) {
        return pluses().filter((plus) => plus.dataset.step === step);
    }

    function before(step) {
        const trunk = pluses().filter((plus) => plus.dataset.above === step);
        return trunk.length ? trunk : pluses().filter((plus) => plus.dataset.target === step);
    }
}

export function nearest(places, place, [x, y]) {
    const from = middle(place);
    let best = null;
    let least = Infinity;
    for (const other of places) {
        if (other === place) continue;
        const to = middle(other);
        const along = (to.x - from.x) * x + (to.y - from.y) * y;
        const aside = Math.abs((to.x - from.x) * y) + Math.abs((to.y - from.y) * x);
        const far = along + aside * 1.4;
        if (along > 8 && far < least && (y || aside < 190)) {
            least = far;
            best = other;
        }
    }
    return best;
}

function middle(element) {
    const { x, y } = element.dataset;
    const card = element.matches(".jb-card");
    return { x: Number(x) + (card ? 136 : 0), y: Number(y) + (card ? 48 : 0) };
}
