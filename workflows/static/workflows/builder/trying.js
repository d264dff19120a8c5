// Test contact: a panel of its own in the place of the other one, and the way that somebody would take, on the map. The
// server plays and writes; here it is only put in its places. Nothing of the journey is changed by any of it.
const PAUSE = 250; // milliseconds after the last key, before contacts are looked for
const PATIENCE = 90_000;

export class Trying {
    constructor(builder, stage, panel) {
        this.builder = builder;
        this.stage = stage;
        this.panel = panel;
        this.element = document.getElementById("builder-trying");
        this.path = null;
        this.asked = 0;
        this.typed = 0;
        this.#listen();
    }

    get isOpen() {
        return !this.element.hidden;
    }

    get form() {
        return this.element.querySelector("form");
    }

    async open() {
        if (this.isOpen) return this.#focus();
        if (!(await this.panel.settle())) return;
        await this.panel.close();
        const answer = await this.#fetch(this.builder.dataset.trying);
        if (answer === null) return this.#said("The server cannot be reached. Try again.");
        this.element.innerHTML = answer; // written by our own template, which escapes every value
        this.element.hidden = false;
        this.#focus();
    }

    close({ focus = true } = {}) {
        this.asked += 1;
        this.#clear();
        this.element.hidden = true;
        this.element.replaceChildren();
        if (focus) (this.builder.querySelector("[data-try]") ?? this.stage).focus();
    }

    async #test(submitter) {
        const { form } = this;
        const turn = ++this.asked;
        this.#wrong("");
        this.#busy(true);
        let message = "The server cannot be reached. Try again.";
        let answer = null;
        try {
            const response = await fetch(form.action, {
                method: "POST",
                body: new URLSearchParams(new FormData(form, submitter)),
                headers: { "X-CSRFToken": this.builder.querySelector("[name=csrfmiddlewaretoken]").value, Accept: "application/json" },
                signal: AbortSignal.timeout(PATIENCE),
            });
            const said = await response.json();
            if (response.ok) answer = said;
            else message = said.message;
        } catch {
            // the message says so
        }
        if (turn !== this.asked) return;
        this.#busy(false);
        if (!answer) return this.#wrong(message);
        this.#show(answer);
    }

    #show(answer) {
        const came = document.getElementById("trying-came");
        came.innerHTML = answer.html; // as above
        this.path = answer;
        this.#draw();
        this.#said(answer.said);
        came.focus({ preventScroll: true });
        this.element.scrollTop = came.offsetTop - this.form.querySelector("header").offsetHeight; // and nothing around it
        this.stage.show(".trigger", { centre: false });
    }

    #draw() {
        this.#undraw();
        if (!this.path) return;
        this.builder.classList.add("jb-testing");
        for (const [step, mark] of Object.entries(this.path.marks)) {
            const card = this.stage.card(step);
            if (!card) continue;
            const words = document.createElement("span");
            words.className = `jb-tried jt-${mark.tone}`;
            words.textContent = mark.words;
            card.title = mark.title;
            card.classList.add("jb-passed");
            card.append(words);
        }
        for (const [step, port] of this.path.ways) {
            for (const kind of ["line", "caption", "end"]) document.getElementById(`${kind}-${step}-${port}`)?.classList.add("jb-passed");
        }
    }

    #undraw() {
        this.builder.classList.remove("jb-testing");
        for (const each of this.builder.querySelectorAll(".jb-tried")) each.remove();
        for (const each of this.builder.querySelectorAll(".jb-passed")) {
            each.classList.remove("jb-passed");
            each.removeAttribute("title");
        }
    }

    #clear() {
        this.path = null;
        this.#undraw();
        document.getElementById("trying-came")?.replaceChildren();
    }

    // A card that was chosen on the map is looked for in the list.
    #look(step) {
        for (const each of this.element.querySelectorAll("[data-stop]")) {
            const here = each.dataset.stop === step;
            each.classList.toggle("jt-here", here);
            if (here) this.#reveal(each);
        }
    }

    async #find(field) {
        const turn = ++this.typed;
        await new Promise((done) => setTimeout(done, PAUSE));
        if (turn !== this.typed) return;
        const html = await this.#fetch(`${this.form.dataset.search}?${new URLSearchParams({ q: field.value })}`);
        const place = document.getElementById("trying-found");
        if (turn !== this.typed || !place) return;
        place.innerHTML = html ?? ""; // as above
    }

    async #fetch(address) {
        try {
            const response = await fetch(address, { headers: { Accept: "text/html" }, cache: "no-store" });
            return response.ok && !response.redirected ? await response.text() : null;
        } catch {
            return null;
        }
    }

    #who(value) {
        for (const part of this.element.querySelectorAll("[data-who]")) part.hidden = part.dataset.who !== value;
    }

    #more() {
        const row = document.getElementById("trying-row").content.firstElementChild.cloneNode(true);
        document.getElementById("trying-rows").append(row);
        row.querySelector("input").focus();
    }

    #busy(busy) {
        const button = this.form.querySelector("footer button");
        button.disabled = busy;
        button.setAttribute("aria-busy", busy);
        button.lastChild.textContent = busy ? "Testing…" : "Test";
        if (busy) this.#said("Testing");
    }

    #wrong(message) {
        const place = document.getElementById("trying-wrong");
        place.textContent = message;
        place.hidden = !message;
        if (message) this.#reveal(place);
    }

    // Only the panel scrolls; `scrollIntoView` would move the page around it as well.
    #reveal(place) {
        const box = place.getBoundingClientRect();
        const view = this.element.getBoundingClientRect();
        const bottom = this.form.querySelector("footer").getBoundingClientRect().top;
        const top = view.top + this.form.querySelector("header").offsetHeight;
        if (box.bottom > bottom) this.element.scrollTop += box.bottom - bottom;
        else if (box.top < top) this.element.scrollTop -= top - box.top;
    }

    #said(words) {
        document.getElementById("builder-said").textContent = words;
    }

    #focus() {
        const wanted = ["#trying-search", "#trying-email", "[data-solve]", "[data-shut]"];
        const first = wanted.map((each) => this.element.querySelector(each)).find((each) => each?.offsetParent);
        first?.focus();
    }

    #solve(button) {
        this.close({ focus: false });
        this.stage.choose(button.dataset.solve, button.dataset.field);
    }

    #listen() {
        this.builder.addEventListener("click", (event) => {
            const at = (selector) => event.target.closest(selector);
            if (at("[data-try]")) return this.open();
            if (!this.element.contains(event.target)) return;
            if (at("[data-shut]")) return this.close();
            if (at("[data-solve]")) return this.#solve(at("[data-solve]"));
            if (at("[data-more]")) return this.#more();
            if (at("[data-less]")) return at(".jt-row").remove();
            if (at("[data-look]")) {
                const { look } = at("[data-look]").dataset;
                this.stage.show(look);
                this.#look(look);
            }
        });
        // while somebody is tested, a card that is chosen is read, not changed
        this.builder.addEventListener("builder:chosen", (event) => {
            if (!this.isOpen) return;
            if (!this.path) return this.close({ focus: false });
            event.stopImmediatePropagation();
            this.#look(event.detail.step);
        }, true);
        this.builder.addEventListener("builder:changed", () => {
            if (!this.path) return;
            this.#clear();
            this.#wrong("The draft was changed since: test again.");
        });
        this.element.addEventListener("submit", (event) => {
            event.preventDefault();
            this.#test(event.submitter);
        });
        this.element.addEventListener("input", (event) => {
            if (event.target.id === "trying-search") this.#find(event.target);
        });
        this.element.addEventListener("change", (event) => {
            if (event.target.name === "who") this.#who(event.target.value);
        });
        this.element.addEventListener("keydown", (event) => {
            if (event.key === "Enter" && event.target.id === "trying-search") event.preventDefault();
        });
        document.addEventListener("keydown", (event) => {
            if (event.key !== "Escape" || event.defaultPrevented || !this.isOpen || document.querySelector("dialog[open], :popover-open")) return;
            event.preventDefault();
            this.close();
        });
    }
}
