// A step on its way to another place: every "+" where it may go becomes a place to put it down.
const WAYS = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 };

export class Moving {
    constructor(builder, stage, server) {
        this.builder = builder;
        this.stage = stage;
        this.server = server;
        this.banner = document.getElementById("builder-moving");
        this.step = null;
        this.places = [];
        this.#listen();
    }

    async begin(step) {
        const offer = await this.server.ask(this.builder.dataset.places, { step });
        if (!offer) return;
        this.end();
        const arms = new Set(offer.arms.map(([from, port]) => `plus-${from}-${port}`));
        const above = new Set(offer.above.map((key) => `trunk-${key}`));
        const all = [...this.stage.element.querySelectorAll(".jb-plus")];
        this.places = all.filter((plus) => arms.has(plus.id) || above.has(plus.id));
        if (!this.places.length) {
            this.server.trouble(`There is no other place for “${offer.name}”.`);
            return;
        }
        this.step = step;
        this.builder.classList.add("jb-moving");
        for (const plus of all) plus.hidden = !this.places.includes(plus);
        for (const key of offer.steps) this.stage.card(key)?.classList.add("jb-along");
        const more = offer.steps.length - 1;
        const load = more ? `“${offer.name}” and the ${more} step${more === 1 ? "" : "s"} that only it leads to` : `“${offer.name}”`;
        this.banner.querySelector("span").textContent = `Choose where ${load} should go.`;
        this.banner.hidden = false;
        this.#nearest(step).focus();
    }

    // Everything looks as before; a map that has been drawn anew does so by itself.
    end() {
        if (!this.step) return;
        this.step = null;
        this.places = [];
        this.banner.hidden = true;
        this.builder.classList.remove("jb-moving");
        for (const plus of this.stage.element.querySelectorAll(".jb-plus")) plus.hidden = false;
        for (const card of this.stage.cards()) card.classList.remove("jb-along");
    }

    async put(plus) {
        const { step, port, above } = plus.dataset;
        const moved = this.step;
        this.end();
        const place = above ? { operation: "move_above", target: above } : { operation: "move", target_step: step, target_port: port };
        if (!(await this.server.send({ ...place, step: moved }))) this.stage.focus();
    }

    #nearest(step) {
        const from = this.stage.card(step).getBoundingClientRect();
        const far = (plus) => {
            const to = plus.getBoundingClientRect();
            return Math.hypot(to.x - from.x - from.width / 2, to.y - from.y - from.height / 2);
        };
        return this.places.reduce((best, plus) => (far(plus) < far(best) ? plus : best));
    }

    #listen() {
        this.builder.addEventListener("click", (event) => {
            if (!this.step) return;
            const plus = event.target.closest(".jb-plus");
            if (plus || event.target.closest("[data-stay]")) {
                event.stopImmediatePropagation();
                if (plus) return this.put(plus);
                this.end();
                this.stage.focus();
            }
        }, { capture: true });
        document.addEventListener("keydown", (event) => {
            if (!this.step) return;
            if (event.key === "Escape") {
                this.end();
                this.stage.focus();
            } else if (WAYS[event.key]) {
                const at = this.places.indexOf(document.activeElement);
                this.places[(at + WAYS[event.key] + this.places.length) % this.places.length].focus();
            } else {
                return;
            }
            event.preventDefault();
            event.stopPropagation();
        }, { capture: true });
        this.builder.addEventListener("builder:changed", () => this.end());
    }
}
