// What may be done with a card: from its button, with the right mouse button, or with the menu key.
import { lost } from "./menu.js";

export class CardMenu {
    constructor(builder, stage, server, moving) {
        this.element = document.getElementById("builder-card-menu");
        this.stage = stage;
        this.server = server;
        this.moving = moving;
        this.step = null;
        if (this.element) this.#listen(builder);
    }

    // `at`: [x, y] in the window; beside the card's button where none is given.
    open(card, at = null) {
        this.step = card.dataset.step;
        this.stage.current = this.step;
        this.stage.settle(null);
        const name = card.querySelector(".jb-name").textContent;
        this.element.setAttribute("aria-label", `What to do with ${name}`);
        this.element.showPopover();
        const button = card.querySelector(".jb-more").getBoundingClientRect();
        const [x, y] = at ?? [button.right + 6, button.top];
        this.element.style.left = `${Math.max(12, Math.min(x, innerWidth - this.element.offsetWidth - 12))}px`;
        this.element.style.top = `${Math.max(12, Math.min(y, innerHeight - this.element.offsetHeight - 12))}px`;
        this.#items()[0].focus();
    }

    #items() {
        return [...this.element.querySelectorAll("[role=menuitem]")];
    }

    #do(deed) {
        const step = this.step;
        this.element.hidePopover();
        this.stage.focus();
        if (deed === "edit") return this.stage.choose(step);
        if (deed === "move") return this.moving.begin(step);
        return this.server.send({ operation: deed, step });
    }

    #listen(builder) {
        const cardOf = (target) => {
            const card = target.closest?.(".jb-card");
            return card?.querySelector(".jb-more") ? card : null;
        };
        builder.addEventListener("contextmenu", (event) => {
            const card = cardOf(event.target);
            if (!card) return;
            event.preventDefault();
            this.open(card, event.button === 2 ? [event.clientX, event.clientY] : null);
        });
        builder.addEventListener("keydown", (event) => {
            const card = cardOf(event.target);
            if (!card || (event.key !== "ContextMenu" && !(event.key === "F10" && event.shiftKey))) return;
            event.preventDefault();
            this.open(card);
        });
        this.element.addEventListener("click", (event) => {
            const deed = event.target.closest("[data-deed]")?.dataset.deed;
            if (deed) this.#do(deed);
        });
        this.element.addEventListener("keydown", (event) => {
            const items = this.#items();
            const at = items.indexOf(document.activeElement);
            if (event.key === "ArrowDown") items[(at + 1) % items.length].focus();
            else if (event.key === "ArrowUp") items[(at + items.length - 1) % items.length].focus();
            else if (event.key === "Home") items[0].focus();
            else if (event.key === "End") items.at(-1).focus();
            else if (event.key === "Tab") this.element.hidePopover();
            else return;
            event.preventDefault();
            event.stopPropagation();
        });
        this.element.addEventListener("toggle", (event) => {
            if (event.newState === "closed" && lost(this.element)) this.stage.focus();
        });
    }
}
