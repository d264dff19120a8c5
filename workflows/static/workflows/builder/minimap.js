// The whole journey in a corner, where it is larger than the window: what of it is seen, and a way to any place of it.
const WIDEST = 160;
const SHARE_OF_HEIGHT = 0.42;
const LARGER = 1.25; // than the window, before it is worth a map of its own

export class Minimap {
    constructor(builder, stage) {
        this.stage = stage;
        this.element = document.getElementById("builder-minimap");
        this.window = this.element.querySelector("rect");
        builder.addEventListener("builder:placed", () => this.draw());
        builder.addEventListener("builder:scaled", () => this.#follow());
        stage.view.addEventListener("scroll", () => this.#follow(), { passive: true });
        new ResizeObserver(() => this.draw()).observe(stage.view);
        this.#lead();
    }

    draw() {
        const { width, height } = this.#size();
        const svg = this.element.querySelector("svg");
        const scale = Math.min(WIDEST / width, (this.stage.view.clientHeight * SHARE_OF_HEIGHT) / height);
        svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
        svg.setAttribute("width", Math.max(28, width * scale));
        svg.setAttribute("height", height * scale);
        const cards = this.stage.cards();
        const outlines = (some) => some.map(({ dataset: { x, y } }) => `M${x} ${y}h272v96h-272z`).join("");
        const bad = (card) => card.classList.contains("jb-bad");
        const parts = {
            lines: [...this.stage.element.querySelectorAll(".jb-line")].map((line) => line.getAttribute("d")).join(""),
            cards: outlines(cards.filter((card) => !bad(card))),
            bad: outlines(cards.filter(bad)),
        };
        for (const [part, path] of Object.entries(parts)) svg.querySelector(`[data-part=${part}]`).setAttribute("d", path);
        this.#follow();
    }

    #size() {
        const { width, height } = this.stage.element.dataset;
        return { width: Math.max(1, Number(width)), height: Math.max(1, Number(height)) };
    }

    // What is seen now, in the journey's own measures.
    #follow() {
        const scale = this.stage.scale.value;
        const { view, element } = this.stage;
        const { width, height } = this.#size();
        this.element.hidden = width * scale < view.clientWidth * LARGER && height * scale < view.clientHeight * LARGER;
        const stage = element.getBoundingClientRect();
        const seen = view.getBoundingClientRect();
        const left = Math.max(0, (seen.left - stage.left) / scale);
        const top = Math.max(0, (seen.top - stage.top) / scale);
        this.window.setAttribute("x", left);
        this.window.setAttribute("y", top);
        this.window.setAttribute("width", Math.max(0, Math.min(width, (seen.right - stage.left) / scale) - left));
        this.window.setAttribute("height", Math.max(0, Math.min(height, (seen.bottom - stage.top) / scale) - top));
    }

    #lead() {
        let held = false;
        const go = (event) => {
            const { view, element, scale } = this.stage;
            const svg = this.element.querySelector("svg");
            const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
            const stage = element.getBoundingClientRect();
            const seen = view.getBoundingClientRect();
            const left = stage.left + at.x * scale.value - seen.left - seen.width / 2;
            const top = stage.top + at.y * scale.value - seen.top - seen.height / 2;
            view.scrollBy({ left, top, behavior: "instant" });
        };
        this.element.addEventListener("pointerdown", (event) => {
            held = true;
            event.preventDefault(); // the focus stays where it is
            this.element.setPointerCapture(event.pointerId);
            go(event);
        });
        this.element.addEventListener("pointermove", (event) => held && go(event));
        for (const end of ["pointerup", "pointercancel"]) this.element.addEventListener(end, () => (held = false));
    }
}
