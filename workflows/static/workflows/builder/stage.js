// The map: where things stand, and which step is looked at.
import { Scale } from "./scale.js";

const HASH = "#step=";
const EDGE = 24; // a card that is shown keeps so far from the edge of the window

export class Stage {
    constructor(builder) {
        this.builder = builder;
        this.view = document.getElementById("builder-view");
        this.current = ".trigger";
        this.scale = new Scale(this);
        this.order = []; // the steps as they were drawn last
        this.byKeys = false;
        this.#listenToHands();
        addEventListener("hashchange", () => this.#linked() && this.show(this.current));
    }

    get element() {
        return document.getElementById("builder-stage");
    }

    // Positions come as data: a strict content policy allows no inline styles.
    place() {
        const stage = this.element;
        stage.style.width = `${stage.dataset.width}px`;
        stage.style.height = `${stage.dataset.height}px`;
        stage.style.zoom = this.scale.value;
        for (const each of stage.querySelectorAll("[data-x]")) {
            each.style.translate = `${each.dataset.x}px ${each.dataset.y}px`;
        }
        this.#greet();
        this.#mark();
        this.builder.dispatchEvent(new CustomEvent("builder:placed"));
    }

    // Once, when the page opens: at the step that the address names, else at the top.
    begin() {
        if (this.#linked()) {
            this.show(this.current, { smoothly: false });
            this.focus();
        } else {
            this.#scroll(this.card(".trigger"), { centre: true, smoothly: false });
            this.view.scrollTop = 0;
            const isPage = !("beside" in this.builder.dataset); // else it stands among other things, and waits
            if (isPage && document.activeElement === document.body) this.focus(); // the keys work from the first moment
        }
        // only from now on do cards slide to where they belong: at first they would all come from the corner
        requestAnimationFrame(() => requestAnimationFrame(() => this.builder.classList.add("jb-drawn")));
    }

    zoom(how) {
        this.scale.change(how);
    }

    card(step) {
        return document.getElementById(`card-${step}`);
    }

    cards() {
        return [...this.element.querySelectorAll(".jb-card")];
    }

    choose(step, field = null) {
        if (!this.card(step)) return;
        this.look(step);
        this.show(step);
        this.builder.dispatchEvent(new CustomEvent("builder:chosen", { detail: { step, field } }));
    }

    // That step is the one that keys are about; it has the focus.
    look(step) {
        this.current = step;
        this.#mark();
        this.focus();
        const address = step === ".trigger" ? location.pathname + location.search : `${HASH}${encodeURIComponent(step)}`;
        history.replaceState(history.state, "", address);
    }

    // `centre`: in the middle of the window; else no further than it must go to be seen.
    show(step, { centre = true, smoothly = true } = {}) {
        const card = this.card(step);
        if (card) this.#scroll(card, { centre, smoothly });
    }

    // After a change: the step it was about is looked at, and the focus is never lost.
    settle(step) {
        const lost = !this.card(this.current);
        if (step && this.card(step)) this.current = step;
        else if (lost) this.current = this.#before(this.current);
        this.order = this.cards().map((card) => card.dataset.step);
        const focus = document.activeElement;
        if (step || lost || focus === document.body || focus.matches(":disabled")) this.look(this.current);
        else this.#mark();
        if (step || lost) this.show(this.current, { centre: false });
    }

    focus() {
        this.card(this.current)?.querySelector(".jb-hit").focus({ preventScroll: true });
        this.builder.toggleAttribute("data-by-hand", !this.byKeys);
    }

    // A browser rings whatever a script gives the focus to. Whoever came with the mouse sees which card is chosen, and
    // no ring before the first key.
    #listenToHands() {
        addEventListener("pointerdown", () => (this.byKeys = false), { capture: true });
        addEventListener("keydown", () => {
            this.byKeys = true;
            this.builder.removeAttribute("data-by-hand");
        }, { capture: true });
        this.builder.addEventListener("focusout", () => this.builder.removeAttribute("data-by-hand"));
    }

    #linked() {
        const step = location.hash.startsWith(HASH) ? decodeURIComponent(location.hash.slice(HASH.length)) : "";
        if (!step || !this.card(step)) return false;
        this.current = step;
        this.#mark();
        return true;
    }

    // The last step before one that is gone which is still there.
    #before(step) {
        const earlier = this.order.slice(0, Math.max(0, this.order.indexOf(step)));
        return earlier.reverse().find((each) => this.card(each)) || ".trigger";
    }

    // Cards that were not there before are seen to arrive.
    #greet() {
        const known = new Set(this.order);
        for (const card of this.cards()) {
            if (known.size && !known.has(card.dataset.step)) card.classList.add("jb-new");
        }
        if (!known.size) this.order = this.cards().map((card) => card.dataset.step);
    }

    #mark() {
        for (const card of this.cards()) {
            const chosen = card.dataset.step === this.current;
            card.classList.toggle("jb-chosen", chosen);
            card.querySelector(".jb-hit").tabIndex = chosen ? 0 : -1;
        }
    }

    // Only the map scrolls; `scrollIntoView` would move the page around it as well.
    #scroll(card, { centre, smoothly }) {
        const box = place(card, this.scale.value);
        const stage = this.element.getBoundingClientRect();
        const view = this.view.getBoundingClientRect();
        const left = stage.left + box.x - view.left;
        const top = stage.top + box.y - view.top;
        const calm = !smoothly || matchMedia("(prefers-reduced-motion: reduce)").matches;
        this.view.scrollBy({
            left: centre ? left + box.width / 2 - view.width / 2 : beyond(left, box.width, view.width),
            top: centre ? top + box.height / 2 - view.height / 2 : beyond(top, box.height, view.height),
            behavior: calm ? "instant" : "smooth",
        });
    }
}

// Where a card is going to stand, while it may still be on its way there.
function place(card, scale) {
    const { x, y } = card.dataset;
    return { x: x * scale, y: y * scale, width: card.offsetWidth * scale, height: card.offsetHeight * scale };
}

function beyond(start, length, window) {
    if (start < EDGE) return start - EDGE;
    return Math.max(0, start + length + EDGE - window);
}
