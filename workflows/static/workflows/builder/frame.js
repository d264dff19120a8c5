// The bar: the journey's name, the lists that drop down, where they lead, and publishing.
export class Frame {
    constructor(builder, stage, server) {
        this.builder = builder;
        this.stage = stage;
        this.server = server;
        this.dialog = document.getElementById("builder-publishing");
        this.#listen();
    }

    // Renamed in place: when the field is left, or by Enter; Escape takes it back.
    async #rename(field) {
        const name = field.value.trim();
        if (!name || name === field.defaultValue) {
            field.value = field.defaultValue;
            return;
        }
        const answer = await this.server.send({ operation: "rename", name });
        if (!answer) return;
        document.title = document.title.replace(field.defaultValue, name);
        field.defaultValue = name;
    }

    #nameKey(event) {
        const field = event.target;
        if (event.key === "Enter") field.blur();
        else if (event.key === "Escape") field.value = field.defaultValue;
        else return;
        event.preventDefault();
        this.stage.focus();
    }

    // A panel of the journey as a whole, at the field that a problem names.
    #panel(button) {
        const { panel, field } = button.dataset;
        if (panel === ".trigger") return this.stage.choose(panel, field);
        this.builder.dispatchEvent(new CustomEvent("builder:chosen", { detail: { step: panel, field: field ?? null } }));
    }

    async #publish() {
        const list = document.getElementById("builder-problems");
        if (Number(list?.dataset.errors)) {
            list.open = true;
            document.getElementById("builder-barred").hidden = false;
            this.server.say(document.getElementById("builder-barred").textContent);
            list.querySelector("li :is(button, a)").focus();
            return;
        }
        await this.#ask();
    }

    async #ask() {
        try {
            const answer = await fetch(this.builder.dataset.publishing, { headers: { Accept: "text/html" } });
            if (!answer.ok) throw new Error(answer.statusText);
            this.dialog.innerHTML = await answer.text();
        } catch {
            this.dialog.close();
            this.server.trouble("The server cannot be reached. Nothing was published; try again.");
            return;
        }
        if (!this.dialog.open) this.dialog.showModal();
        this.dialog.querySelector("input, [data-shut]").focus();
    }

    async #send(form) {
        const answer = await this.server.post(form.getAttribute("action"), Object.fromEntries(new FormData(form)));
        if (answer) await this.#ask();
        else this.dialog.close();
    }

    #shut(except = null) {
        for (const list of this.builder.querySelectorAll(".jb-drop[open]")) {
            if (!list.contains(except)) list.open = false;
        }
    }

    #listen() {
        this.builder.addEventListener("change", (event) => {
            if (event.target.id === "builder-name") this.#rename(event.target);
        });
        this.builder.addEventListener("click", (event) => {
            const at = (selector) => event.target.closest(selector);
            if (at("[data-publish]")) this.#publish();
            else if (at(".jb-dropped [data-panel]")) this.#panel(at("[data-panel]"));
            if (at(".jb-dropped :is(button, a)")) this.#shut();
        });
        // but for the button that has just opened the problems
        document.addEventListener("click", (event) => event.target.closest("[data-publish]") || this.#shut(event.target));
        this.builder.addEventListener("keydown", (event) => {
            if (event.target.id === "builder-name") return this.#nameKey(event);
            const open = this.builder.querySelector(".jb-drop[open]");
            if (event.key !== "Escape" || !open) return;
            event.preventDefault();
            const inside = open.contains(document.activeElement);
            open.open = false;
            if (inside) open.querySelector("summary").focus();
        });
        this.dialog.addEventListener("click", (event) => {
            if (event.target.closest("[data-shut]")) this.dialog.close();
        });
        this.dialog.addEventListener("submit", (event) => {
            event.preventDefault();
            this.#send(event.target);
        });
        this.dialog.addEventListener("keydown", (event) => event.stopPropagation()); // its Escape closes nothing else
        this.dialog.addEventListener("close", () => {
            const button = this.builder.querySelector("[data-publish]");
            if (button) button.focus();
            else this.stage.focus();
        });
    }
}
