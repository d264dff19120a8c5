// What a "+" offers: a new step, a step that is there already and may be joined, or the end of the path.
export class Menu {
    constructor(builder, stage, server) {
        this.builder = builder;
        this.stage = stage;
        this.server = server;
        this.element = document.getElementById("builder-menu");
        this.search = this.element.querySelector("input");
        this.joins = this.element.querySelector("[data-joins]");
        this.foot = this.element.querySelector("[data-foot]");
        this.place = null;
        this.#listen();
    }

    open(plus) {
        this.place = plus;
        this.search.value = "";
        this.joins.querySelector("div").replaceChildren();
        this.foot.hidden = true;
        this.#narrow();
        this.element.showPopover();
        const beside = plus.getBoundingClientRect();
        const left = Math.min(innerWidth - this.element.offsetWidth - 12, beside.right + 10);
        const top = Math.min(innerHeight - this.element.offsetHeight - 12, beside.top - 60);
        this.element.style.left = `${Math.max(12, left)}px`;
        this.element.style.top = `${Math.max(12, top)}px`;
        this.search.focus();
        if (!("above" in plus.dataset)) this.#offer(plus);
    }

    // The server knows which steps come earlier, and which ones nobody would come to any more.
    async #offer(plus) {
        const { step, port } = plus.dataset;
        const offer = await this.server.ask(this.builder.dataset.path, { step, port });
        if (!offer || this.place !== plus || !this.element.matches(":popover-open")) return;
        this.foot.hidden = offer.end === null;
        this.foot.querySelector("small").textContent = goes(offer.end ?? []);
        const place = Object.fromEntries(this.stage.cards().map((card, number) => [card.dataset.step, number]));
        const joins = offer.joins.sort((one, other) => place[one.step] - place[other.step]);
        this.joins.querySelector("div").replaceChildren(...joins.map((join) => this.#join(join, place[join.step])));
        this.#narrow();
    }

    #join(join, number) {
        const made = document.createElement("button");
        made.type = "button";
        made.dataset.choice = "";
        made.dataset.target = join.step;
        const name = document.createElement("b");
        name.textContent = `${number}. ${join.name}`;
        const lost = document.createElement("small");
        lost.textContent = goes(join.lost);
        const words = document.createElement("span");
        words.append(name, lost);
        made.append(words);
        return made;
    }

    #choices() {
        return [...this.element.querySelectorAll("[data-choice]")].filter((each) => !each.hidden && !each.closest("[hidden]"));
    }

    #narrow() {
        const wanted = this.search.value.trim().toLowerCase();
        for (const choice of this.element.querySelectorAll("section [data-choice]")) choice.hidden = !choice.textContent.toLowerCase().includes(wanted);
        for (const section of this.element.querySelectorAll("section")) section.hidden = !section.querySelector("[data-choice]:not([hidden])");
        this.element.querySelector("[data-nothing]").hidden = Boolean(this.element.querySelector("section:not([hidden])"));
    }

    async #add(kind) {
        const { above, step, port } = this.place.dataset;
        this.element.hidePopover();
        const values = above ? { operation: "insert_above", step: above, kind } : { operation: "insert", step, port, kind };
        const answer = await this.server.send(values);
        if (answer) this.stage.choose(answer.step);
    }

    #lead(values) {
        const { step, port } = this.place.dataset;
        this.element.hidePopover();
        return this.server.send({ step, port, ...values });
    }

    #listen() {
        this.element.addEventListener("click", (event) => {
            const choice = event.target.closest("[data-choice]");
            if (!choice) return;
            if (choice.dataset.kind) this.#add(choice.dataset.kind);
            else if (choice.dataset.target) this.#lead({ operation: "join", target: choice.dataset.target });
            else this.#lead({ operation: "end" });
        });
        this.search.addEventListener("input", () => this.#narrow());
        this.element.addEventListener("keydown", (event) => {
            const choices = this.#choices();
            const at = choices.indexOf(document.activeElement);
            if (event.key === "ArrowDown") choices[(at + 1) % choices.length]?.focus();
            else if (event.key === "ArrowUp") (at > 0 ? choices[at - 1] : this.search).focus();
            else if (event.key === "Enter" && document.activeElement === this.search) choices[0]?.click();
            else return;
            event.preventDefault();
        });
        this.element.addEventListener("toggle", (event) => {
            if (event.newState === "closed" && this.place?.isConnected && lost(this.element)) this.place.focus();
        });
    }
}

// Whether a menu that closed had the focus.
export function lost(element) {
    return document.activeElement === document.body || element.contains(document.activeElement);
}

function goes(names) {
    if (!names.length) return "";
    const shown = names.slice(0, 3).join(", ") + (names.length > 3 ? " and others" : "");
    return `${names.length} ${names.length === 1 ? "step goes" : "steps go"} with it: ${shown}`;
}
