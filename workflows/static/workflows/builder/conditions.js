// The condition editor inside a panel: drawn when there is a condition, and offered where there is none.
import { ConditionEditor } from "../../contacts/condition_editor.js";

let catalogue = null; // a promise of what conditions may ask about, fetched once a page

function ask(builder) {
    catalogue ??= fetch(builder.dataset.conditions, { headers: { Accept: "application/json" } }).then((response) => response.json());
    return catalogue;
}

// Before `html` is shown: conditions in it can then be mounted at once, before anybody writes.
export async function readyFor(html, builder) {
    if (html.includes("data-condition")) await ask(builder).catch(() => null); // whoever mounts it says so
}

export async function mountConditions(around, builder) {
    const boxes = [...around.querySelectorAll("[data-condition]")].filter((box) => !box.closest("template"));
    if (!boxes.length) return;
    const area = boxes[0].querySelector("textarea");
    if (area.matches(":disabled")) return; // who only reads has the sentence
    token(area.form, builder);
    for (const box of boxes) prepare(box);
    const filled = boxes.filter((box) => box.querySelector("textarea").value.trim());
    if (filled.length) await Promise.all(filled.map((box) => mount(box, builder)));
}

function prepare(box) {
    const area = box.querySelector("textarea");
    area.hidden = true;
    const add = button("Add a condition", "add", async () => {
        area.value = '{"all": []}';
        await mount(box, box.closest("#builder"));
        box.querySelector('[data-part="add-add"]')?.click();
    });
    add.hidden = Boolean(area.value.trim());
    box.append(add);
}

async function mount(box, builder) {
    let known;
    try {
        known = await ask(builder);
    } catch {
        catalogue = null; // JSON still works, and the next one asks again
        box.querySelector("textarea").hidden = false;
        return;
    }
    const area = box.querySelector("textarea");
    const add = box.querySelector(":scope > .jf-add");
    add.hidden = true;
    box.querySelector(".jb-sentence-of").hidden = true;
    const inner = document.createElement("div");
    inner.className = "cq";
    Object.assign(inner.dataset, { scope: box.dataset.scope, explain: box.dataset.explain });
    area.hidden = false;
    area.before(inner);
    inner.append(area);
    new ConditionEditor(inner, known);
    // the editor says what is wrong where it is; what it cannot know (that a name is not there) stays at the field
    const wrong = box.parentElement.querySelector(":scope > .jb-wrong");
    if (wrong) inner.addEventListener("condition:read", (event) => { wrong.hidden = !event.detail.valid; });
    if (!("required" in box.dataset)) inner.append(button("Remove the condition", "close", () => take(box, inner, area, add)));
}

function take(box, inner, area, add) {
    area.value = "";
    area.hidden = true;
    inner.replaceWith(area);
    add.hidden = false;
    add.focus();
    area.dispatchEvent(new Event("change", { bubbles: true }));
}

// The editor asks the server with the token of the form around it.
function token(form, builder) {
    if (form.elements.namedItem("csrfmiddlewaretoken")) return;
    form.prepend(builder.querySelector("[name=csrfmiddlewaretoken]").cloneNode());
}

function button(words, symbol, act) {
    const made = document.createElement("button");
    made.type = "button";
    made.className = "jf-add";
    const icon = document.createElement("span");
    icon.className = "material-symbols-outlined";
    icon.setAttribute("aria-hidden", "true");
    icon.textContent = symbol;
    made.append(icon, words);
    made.addEventListener("click", act);
    return made;
}
