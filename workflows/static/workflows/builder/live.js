// Numbers on the map follow what happens: asked for with the tag of what is shown, while somebody looks. Where nothing
// has changed for some minutes, less often. The server writes them; here they are only put in their places.
export const EVERY = 3000;
export const SELDOM = 15000;
export const QUIET_AFTER = 120000;

export class Live {
    // `changed` is told when something else was put in place.
    constructor(builder, changed = () => {}) {
        this.builder = builder;
        this.changed = changed;
        this.tag = builder.dataset.tag ?? "";
        this.parts = {};
        this.timer = 0;
        this.changedAt = performance.now();
        this.asking = false;
        this.status = document.getElementById("live-status");
        document.addEventListener("visibilitychange", () => this.#woken());
        builder.addEventListener("builder:drawn", () => this.#putAll()); // a map drawn anew has no numbers on it
    }

    begin() {
        if (this.builder.dataset.live) this.#ask();
    }

    #woken() {
        clearTimeout(this.timer);
        if (document.hidden) return;
        this.changedAt = performance.now(); // whoever looks again waits for news
        this.begin();
    }

    async #ask() {
        if (this.asking || document.hidden) return;
        this.asking = true;
        let wait = SELDOM;
        try {
            if (await this.#fetch()) this.changedAt = performance.now();
            if (performance.now() - this.changedAt < QUIET_AFTER) wait = EVERY;
            this.#say("Live");
        } catch {
            this.#say("The numbers could not be brought up to date; trying again.");
        }
        this.asking = false;
        clearTimeout(this.timer);
        if (!document.hidden) this.timer = setTimeout(() => this.#ask(), wait);
    }

    // Whether there was anything new.
    async #fetch() {
        const headers = { Accept: "application/json", ...(this.tag && { "If-None-Match": this.tag }) };
        const response = await fetch(this.builder.dataset.live, { cache: "no-store", headers });
        if (response.status === 304) return false;
        if (!response.ok || response.redirected) throw new Error(String(response.status));
        const answer = await response.json();
        if (answer.reload) return location.reload();
        this.parts = answer.parts;
        this.#putAll();
        this.tag = response.headers.get("ETag") ?? "";
        this.changed();
        return true;
    }

    #putAll() {
        for (const [id, html] of Object.entries(this.parts)) {
            const place = document.getElementById(id);
            if (place) put(place, html);
        }
    }

    #say(text) {
        if (this.status && this.status.textContent !== text) this.status.textContent = text;
    }
}

// What differs from what stood there flashes; what comes for the first time does not. The focus stays on its link.
function put(place, html) {
    if (place.dataset.put === html) return;
    const known = new Map([...place.querySelectorAll("[data-n]")].map((each) => [each.dataset.n, each.textContent]));
    const links = [...place.querySelectorAll("a")];
    const focused = links.indexOf(document.activeElement);
    const before = place.textContent;
    const first = !place.dataset.put && !before.trim();
    place.innerHTML = html; // written by our own templates, which escape every value
    place.dataset.put = html;
    if (focused >= 0) place.querySelectorAll("a")[focused]?.focus({ preventScroll: true });
    if (first) return;
    for (const each of place.querySelectorAll("[data-n]")) {
        if (known.has(each.dataset.n) && known.get(each.dataset.n) !== each.textContent) flash(each);
    }
    if (!known.size && before !== place.textContent) flash(place);
}

function flash(element) {
    element.classList.add("jb-tick");
    element.addEventListener("animationend", () => element.classList.remove("jb-tick"), { once: true });
}
