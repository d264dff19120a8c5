// How large the map is shown.
const SIZES = [0.2, 0.25, 0.33, 0.5, 0.67, 0.75, 0.9, 1, 1.1, 1.25, 1.5];
const READABLE = 0.67; // below it the names on the cards are no longer read
const ABOVE_AND_BELOW = 110;

export class Scale {
    constructor(stage) {
        this.stage = stage;
        this.value = 1;
        stage.view.addEventListener("wheel", (event) => {
            if (!event.ctrlKey) return;
            event.preventDefault();
            this.#set(this.value * Math.exp(-event.deltaY * 0.002), event.clientX, event.clientY);
        }, { passive: false });
    }

    // `in`, `out`, `whole` (its own size) or `fit`.
    change(how) {
        if (how === "fit") return this.#fit();
        if (how === "in") return this.#set(SIZES.find((size) => size > this.value + 0.005) ?? this.value);
        if (how === "out") return this.#set(SIZES.findLast((size) => size < this.value - 0.005) ?? this.value);
        return this.#set(1);
    }

    // Whole, where it can still be read so. Else as wide as the window, from the top: journeys are long rather than wide,
    // and are read downwards, so what a smaller size would show at once nobody could read. Only a journey that is too
    // wide becomes smaller than readable, since nobody reads to and fro.
    #fit() {
        const { element, view } = this.stage;
        const { paddingLeft, paddingRight } = getComputedStyle(view);
        const room = view.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight);
        const wide = Math.min(1, room / Number(element.dataset.width));
        const whole = Math.min(wide, (view.clientHeight - ABOVE_AND_BELOW) / Number(element.dataset.height));
        this.#set(whole < READABLE ? wide : whole);
        view.scrollTo((view.scrollWidth - view.clientWidth) / 2, 0);
    }

    // What stands at (`x`, `y`) of the window stays there; in the middle of the map, where nothing is said.
    #set(scale, x = null, y = null) {
        const { element, view } = this.stage;
        const window = view.getBoundingClientRect();
        const [atX, atY] = [x ?? window.left + window.width / 2, y ?? window.top + window.height / 2];
        const before = element.getBoundingClientRect();
        const [shareX, shareY] = [(atX - before.left) / before.width, (atY - before.top) / before.height];
        this.value = Math.min(SIZES.at(-1), Math.max(SIZES[0], scale));
        element.style.zoom = this.value;
        const after = element.getBoundingClientRect();
        view.scrollBy(after.left + shareX * after.width - atX, after.top + shareY * after.height - atY);
        document.getElementById("builder-scale").textContent = `${Math.round(this.value * 100)}%`;
        this.stage.builder.dispatchEvent(new CustomEvent("builder:scaled"));
    }
}
