// What is asked before something is done: a dialog of the server's, and what was chosen in it.
export class Questions {
    constructor(builder, stage, server) {
        this.builder = builder;
        this.stage = stage;
        this.server = server;
        this.element = document.getElementById("builder-dialog");
        this.#listen();
    }

    open(html) {
        this.element.innerHTML = html;
        this.element.showModal();
        this.element.querySelector("input:checked, button")?.focus();
    }

    async #showChanges() {
        try {
            const response = await fetch(this.builder.dataset.changes, { headers: { Accept: "text/html" } });
            if (!response.ok) throw new Error(response.statusText);
            this.open(await response.text());
        } catch {
            this.server.trouble("The history cannot be read right now. Try again.");
        }
    }

    #listen() {
        this.builder.addEventListener("builder:asked", (event) => this.open(event.detail.html));
        this.builder.addEventListener("click", (event) => {
            if (event.target.closest("[data-history]")) this.#showChanges();
        });
        this.element.addEventListener("submit", (event) => {
            const { value, dataset } = event.submitter;
            const keep = new FormData(event.target).get("keep");
            if (value === "remove") this.server.send({ operation: "remove", step: dataset.step, keep });
            if (value === "go_back") this.server.send({ operation: "go_back", number: dataset.number });
        });
        // a card may have been drawn anew meanwhile: the focus goes to the one that is looked at
        this.element.addEventListener("close", () => {
            this.element.replaceChildren();
            if (document.activeElement === document.body) this.stage.focus();
        });
        this.element.addEventListener("keydown", (event) => event.stopPropagation());
    }
}
