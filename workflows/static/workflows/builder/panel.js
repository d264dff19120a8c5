// The panel beside the map: fetched for the chosen step, sent back as a form. What was written is never lost: whoever
// goes on to another card, or closes the panel, has it saved first; where that cannot be done, the panel stays.
import { mountConditions, readyFor } from "./conditions.js";
import { FILLABLE, listenToFields, showFields } from "./fields.js";

export class Panel {
    constructor(builder, stage, server) {
        this.builder = builder;
        this.stage = stage;
        this.server = server;
        this.element = document.getElementById("builder-panel");
        this.stood = ""; // the form as it was fetched, or saved last
        this.saving = false;
        this.asked = 0;
        listenToFields(this.element);
        this.#listen();
    }

    get isOpen() {
        return !this.element.hidden;
    }

    get form() {
        return this.element.querySelector("form");
    }

    get step() {
        return this.form?.dataset.step;
    }

    get isChanged() {
        return this.isOpen && Boolean(this.form) && this.#filled() !== this.stood;
    }

    // `field`: the setting to go to, as a problem names it.
    async open(step, field = null) {
        if (!(await this.settle())) return;
        if (this.stage.card(step) && this.stage.current !== step) this.stage.look(step); // the one left behind was saved
        if (!(await this.#fetch(step))) return;
        this.#focus(field);
    }

    async close() {
        if (await this.settle()) this.#leave();
    }

    // What was written is saved, if anything was. False: that could not be done, and the panel says why.
    async settle() {
        return !this.isChanged || Boolean(await this.save({ stay: false }));
    }

    async save({ stay = true, submitter = null } = {}) {
        const { form } = this;
        if (!form) return null;
        const held = document.activeElement;
        const place = held?.name || held?.id;
        const sent = this.#filled();
        this.saving = true;
        const answer = await this.server.post(form.action, Object.fromEntries(new FormData(form, submitter)));
        this.saving = false;
        if (!answer) {
            if (this.element.contains(held)) held.focus();
            return null;
        }
        if (this.form !== form) return answer; // closed meanwhile
        this.stood = sent;
        this.#mark();
        if (stay && (await this.#fetch(form.dataset.step, { unlessChanged: true }))) this.#refocus(place);
        return answer;
    }

    async discard() {
        this.server.calm();
        if (await this.#fetch(this.step)) this.#focus(null);
    }

    // `unlessChanged`: what somebody writes while the answer is under way stays, and the answer is not shown.
    async #fetch(step, { more = "", unlessChanged = false } = {}) {
        const turn = ++this.asked;
        const address = this.builder.dataset.step.replace("STEP", encodeURIComponent(step));
        const response = await fetch(`${address}${more}`, { headers: { Accept: "text/html" } }).catch(() => null);
        if (turn !== this.asked) return false; // somebody has asked for another one since
        if (!response?.ok) {
            this.#leave();
            return false;
        }
        const html = await response.text();
        await readyFor(html, this.builder); // what somebody wrote before it stands whole would be taken for what stood
        if (turn !== this.asked || (unlessChanged && this.isChanged)) return false;
        this.element.innerHTML = html;
        this.element.hidden = false;
        this.element.scrollTop = 0;
        showFields(this.form);
        await mountConditions(this.form, this.builder);
        if (turn !== this.asked) return false; // closed meanwhile
        this.stood = this.#filled();
        this.#mark();
        return true;
    }

    // After a change elsewhere on the map: what stands here may not be true any more.
    async #refresh() {
        if (this.saving || !this.isOpen || !this.step) return;
        const isStep = !this.step.startsWith(".");
        if (isStep && !this.stage.card(this.step)) return this.#leave();
        if (this.isChanged) return;
        const held = this.element.contains(document.activeElement) ? document.activeElement : null;
        const place = held && (held.name || held.id);
        if ((await this.#fetch(this.step, { unlessChanged: true })) && held) this.#refocus(place);
    }

    #leave() {
        const had = this.element.contains(document.activeElement) || document.activeElement === document.body;
        this.asked += 1;
        this.element.hidden = true;
        this.element.replaceChildren();
        if (had) this.stage.focus();
    }

    #filled() {
        return new URLSearchParams(new FormData(this.form)).toString();
    }

    // Says that something is not saved yet.
    #mark() {
        this.form?.classList.toggle("jb-changed", this.isChanged);
    }

    #focus(field) {
        const place = field && this.#placeOf(field);
        if (place) place.scrollIntoView({ block: "nearest" });
        const wanted = place && (visible(place, `${FILLABLE}[aria-invalid]`) ?? visible(place, `.cq-panel ${FILLABLE}`) ?? visible(place, FILLABLE) ?? visible(place, "button"));
        const first = wanted ?? visible(this.element, `.jb-fields ${FILLABLE}`) ?? visible(this.element, "[data-close]");
        first?.focus({ preventScroll: !place });
        if (wanted) this.#lead(wanted);
    }

    // What is wrong inside a condition is known a moment later, when the server has read it.
    #lead(held) {
        const box = held.closest(".cq");
        const go = () => document.activeElement === held && (visible(box, "[aria-invalid]") ?? visible(box, "[aria-describedby]"))?.focus();
        box?.addEventListener("condition:read", go, { once: true });
    }

    #refocus(place) {
        const named = place && this.element.querySelector(`[name="${CSS.escape(place)}"], [id="${CSS.escape(place)}"]`);
        if (named && named.offsetParent) named.focus({ preventScroll: true });
        else this.#focus(null);
    }

    // The field that a problem names, or the one around it: `config.arms.0.if.all.1` is in `config.arms.0.if`.
    #placeOf(field) {
        for (let place = field; place; place = place.slice(0, Math.max(0, place.lastIndexOf(".")))) {
            const found = this.element.querySelector(`[data-field="${CSS.escape(place)}"]`);
            if (found) return found.hidden ? null : found;
        }
        return null;
    }

    // Another kind of trigger has other settings.
    async #refill(select) {
        const chosen = select.value;
        const name = select.name;
        const kept = this.stood;
        if (!(await this.#fetch(this.step, { more: `?${select.dataset.refill}=${encodeURIComponent(chosen)}` }))) return;
        this.stood = kept;
        this.#mark();
        this.#refocus(name);
    }

    #listen() {
        this.builder.addEventListener("builder:chosen", (event) => this.open(event.detail.step, event.detail.field));
        this.builder.addEventListener("builder:drawn", () => {
            const turn = this.asked; // whoever asks for another panel in the meantime gets that one
            setTimeout(() => turn === this.asked && this.#refresh());
        });
        for (const kind of ["input", "change", "click"]) this.element.addEventListener(kind, () => setTimeout(() => this.#mark()));
        this.element.addEventListener("change", (event) => {
            if (event.target.matches("[data-refill]")) this.#refill(event.target);
        });
        this.element.addEventListener("click", (event) => {
            if (event.target.closest("[data-close]")) return this.close();
            if (event.target.closest("[data-discard]")) return this.discard();
            const gone = event.target.closest("[data-remove]");
            if (gone) return this.server.send({ operation: "remove", step: gone.dataset.remove });
            const other = event.target.closest("[data-panel]");
            if (other) return this.open(other.dataset.panel);
        });
        this.element.addEventListener("submit", (event) => {
            event.preventDefault();
            this.save({ submitter: event.submitter });
        });
        document.addEventListener("keydown", (event) => this.#key(event));
        addEventListener("beforeunload", (event) => {
            if (this.isChanged) event.preventDefault();
        });
    }

    #key(event) {
        if (!this.isOpen || event.defaultPrevented) return;
        if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && this.element.contains(event.target)) {
            event.preventDefault();
            this.save();
        } else if (event.key === "Escape" && !document.querySelector("dialog[open], :popover-open")) {
            event.preventDefault();
            this.close();
        }
    }
}

function visible(around, selector) {
    return [...around.querySelectorAll(selector)].find((each) => each.offsetParent && !each.disabled);
}
