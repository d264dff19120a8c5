// One change at a time: sent with the revision that is shown, answered with the parts of the page that changed.
import { Idiomorph } from "../vendor/idiomorph.js";

const PATIENCE = 30_000; // milliseconds
// The server knows no inline styles: what stands where it stood keeps its own, and is not drawn again.
const KEPT = { beforeAttributeUpdated: (name) => name !== "style" };

export class Server {
    constructor(builder, stage) {
        this.builder = builder;
        this.stage = stage;
        this.busy = false;
    }

    get revision() {
        return document.getElementById("builder-bar").dataset.revision;
    }

    // Resolves to the answer, or null where nothing was changed (and the page says why, or asks).
    async send(values) {
        return this.post(this.builder.dataset.operation, values);
    }

    async post(address, values) {
        if (this.busy) return null; // a second press while the first one is under way
        this.#underWay(true);
        try {
            return await this.#exchange(address, values);
        } finally {
            this.#underWay(false);
        }
    }

    // What may be done at a place, asked before it is done; null where that cannot be found out.
    async ask(address, values) {
        try {
            const response = await fetch(`${address}?${new URLSearchParams(values)}`, {
                headers: { Accept: "application/json" },
                signal: AbortSignal.timeout(PATIENCE),
            });
            const answer = await response.json();
            if (response.ok) return answer;
            return this.trouble(answer.message);
        } catch {
            return this.trouble("The server cannot be reached. Try again.");
        }
    }

    async #exchange(address, values) {
        const again = () => this.post(address, values);
        const body = new URLSearchParams({ ...values, revision: this.revision });
        const token = this.builder.querySelector("[name=csrfmiddlewaretoken]").value;
        let response;
        try {
            response = await fetch(address, {
                method: "POST",
                body,
                headers: { "X-CSRFToken": token, Accept: "application/json" },
                signal: AbortSignal.timeout(PATIENCE),
            });
        } catch {
            return this.trouble("The server cannot be reached. The map is as it was.", "Try again", again);
        }
        if (response.redirected || response.status === 403) {
            return this.trouble("You are not logged in any more, or may not change this journey. Nothing was changed.", "Reload", reload);
        }
        let answer;
        try {
            answer = await response.json();
        } catch {
            return this.trouble("The server could not do this. Nothing was changed.", "Try again", again);
        }
        if (response.status === 409) return this.trouble(`${answer.message} Nothing was overwritten: reload to see it.`, "Reload", reload);
        if (!response.ok) return this.trouble(answer.message);
        this.calm();
        if (answer.ask) {
            this.builder.dispatchEvent(new CustomEvent("builder:asked", { detail: { html: answer.ask } }));
            return null;
        }
        this.show(answer);
        return answer;
    }

    show(answer) {
        for (const [id, html] of Object.entries(answer.parts)) {
            Idiomorph.morph(document.getElementById(id), html, { morphStyle: "outerHTML", restoreFocus: true, callbacks: KEPT });
        }
        this.stage.place();
        this.builder.dispatchEvent(new CustomEvent("builder:drawn"));
        this.say(answer.said);
        this.stage.settle(answer.step);
        this.builder.dispatchEvent(new CustomEvent("builder:changed", { detail: answer }));
    }

    // For those who hear the page; the same words twice in a row are two announcements.
    say(words) {
        const place = document.getElementById("builder-said");
        place.textContent = "";
        setTimeout(() => (place.textContent = words), 50);
    }

    #underWay(busy) {
        this.busy = busy;
        // attributes, and not a class of the whole builder: the admin's style sheet has rules about any class of any
        // ancestor, and every element of a long journey would be looked at again
        document.getElementById("builder-bar").toggleAttribute("data-busy", busy);
        this.stage.element.setAttribute("aria-busy", busy);
    }

    // Says what went wrong, with a button for what can be done about it. Resolves to null: nothing was changed.
    trouble(message, deed = "", act = null) {
        const place = document.getElementById("builder-trouble");
        const said = document.createElement("p");
        said.textContent = message;
        place.replaceChildren(said);
        if (act) place.append(button(deed, () => { this.calm(); act(); }));
        const close = button("Dismiss", () => { this.calm(); this.stage.focus(); });
        place.append(close);
        place.hidden = false;
        return null;
    }

    calm() {
        document.getElementById("builder-trouble").hidden = true;
    }
}

function reload() {
    location.reload();
}

function button(label, act) {
    const made = document.createElement("button");
    made.type = "button";
    made.className = "cl-button cl-small";
    made.textContent = label;
    made.addEventListener("click", act);
    return made;
}
