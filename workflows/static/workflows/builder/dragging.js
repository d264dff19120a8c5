// A card that is carried to a "+" moves there; Escape puts it back. (By keyboard and on a telephone: "Move" in its panel.)
const FAR_ENOUGH = 6; // pixels; less is a click
const NEAR = 90; // from the pointer to a "+" that takes the card
const EDGE = 48; // of the window, where the map begins to run
const SPEED = 14;

export class Dragging {
    constructor(builder, stage, server) {
        this.builder = builder;
        this.stage = stage;
        this.server = server;
        this.held = null;
        this.#listen();
    }

    #listen() {
        const { view } = this.stage;
        view.addEventListener("pointerdown", (event) => this.#take(event));
        document.addEventListener("pointermove", (event) => this.held && this.#carry(event));
        document.addEventListener("pointerup", () => this.held && this.#drop());
        document.addEventListener("pointercancel", () => this.held && this.#end());
        document.addEventListener("keydown", (event) => {
            if (event.key !== "Escape" || !this.held?.ghost) return;
            event.preventDefault();
            event.stopPropagation();
            this.#end();
        }, true);
        // the click that ends a drag opens nothing
        view.addEventListener("click", (event) => {
            if (!this.dropped) return;
            event.preventDefault();
            event.stopPropagation();
        }, true);
    }

    #take(event) {
        this.dropped = false;
        const card = event.target.closest(".jb-card");
        if (event.button !== 0 || event.pointerType === "touch" || !card || card.dataset.step === ".trigger") return;
        if (!this.stage.element.querySelector(".jb-plus")) return; // nothing may be changed here
        this.held = { card, x: event.clientX, y: event.clientY, ghost: null, target: null };
    }

    #carry(event) {
        const { held } = this;
        const [x, y] = [event.clientX - held.x, event.clientY - held.y];
        if (!held.ghost && Math.hypot(x, y) < FAR_ENOUGH) return;
        held.at = [event.clientX, event.clientY];
        if (!held.ghost) this.#lift();
        held.ghost.style.translate = `${held.box.left + x}px ${held.box.top + y}px`;
        this.#aim();
    }

    async #lift() {
        const { held, stage } = this;
        held.box = held.card.getBoundingClientRect();
        held.ghost = this.#copy(held.card);
        held.places = [];
        held.card.classList.add("jb-lifted");
        this.builder.classList.add("jb-carrying");
        this.#run();
        const offer = await this.server.ask(this.builder.dataset.places, { step: held.card.dataset.step });
        if (!offer || this.held !== held) return;
        const open = new Set([...offer.arms.map((arm) => `plus-${arm.join("-")}`), ...offer.above.map((step) => `trunk-${step}`)]);
        held.places = [...stage.element.querySelectorAll(".jb-plus")].filter((plus) => open.has(plus.id));
        for (const plus of held.places) plus.classList.add("jb-open");
        if (held.at) this.#aim();
    }

    // The card in the hand; `zoom` on itself would count for the way it goes as well.
    #copy(card) {
        const hand = document.createElement("div");
        const copy = card.cloneNode(true);
        hand.className = "jb-hand";
        for (const each of [copy, ...copy.querySelectorAll("[id]")]) each.removeAttribute("id");
        copy.inert = true;
        copy.classList.add("jb-carried");
        copy.style.zoom = this.stage.scale.value;
        copy.style.translate = "none";
        hand.append(copy);
        this.builder.append(hand);
        return hand;
    }

    // Near the edge the map runs on under the hand.
    #run() {
        const { held } = this;
        if (!held?.ghost) return;
        if (held.at) {
            const view = this.stage.view.getBoundingClientRect();
            const [x, y] = held.at;
            const speed = (near, far) => (near < EDGE ? -SPEED : far < EDGE ? SPEED : 0);
            const [left, top] = [speed(x - view.left, view.right - x), speed(y - view.top, view.bottom - y)];
            if (left || top) {
                this.stage.view.scrollBy(left, top);
                this.#aim();
            }
        }
        requestAnimationFrame(() => this.held === held && this.#run());
    }

    #aim() {
        const { held } = this;
        let [target, least] = [null, NEAR];
        for (const plus of held.places) {
            const box = plus.getBoundingClientRect();
            const far = Math.hypot(box.x + box.width / 2 - held.at[0], box.y + box.height / 2 - held.at[1]);
            if (far < least) [target, least] = [plus, far];
        }
        if (target === held.target) return;
        held.target?.classList.remove("jb-target");
        target?.classList.add("jb-target");
        held.target = target;
    }

    #drop() {
        const { card, ghost, target } = this.held;
        this.dropped = Boolean(ghost);
        this.#end();
        if (!ghost || !target) return;
        const { step, port, above } = target.dataset;
        const place = above ? { operation: "move_above", target: above } : { operation: "move", target_step: step, target_port: port };
        this.server.send({ ...place, step: card.dataset.step });
    }

    #end() {
        const { held } = this;
        this.held = null;
        if (!held.ghost) return;
        held.ghost.remove();
        held.card.classList.remove("jb-lifted");
        held.target?.classList.remove("jb-target");
        for (const plus of held.places) plus.classList.remove("jb-open");
        this.builder.classList.remove("jb-carrying");
    }
}
