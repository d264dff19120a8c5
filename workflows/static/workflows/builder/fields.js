// What the controls of a panel do at once, before anything is saved: settings that do not apply are out of sight, a
// picker shows more about what is chosen, rows are added, taken away and put in order.
import { addRow, moveRow, removeRow, showShares } from "./rows.js";

export const FILLABLE = ":is(input:not([type=hidden]), select, textarea)";
const FIXED = new Set(["yes", "no", "null"]); // kinds of values that need no words

export function listenToFields(panel) {
    panel.addEventListener("change", (event) => {
        const form = event.target.closest("form");
        if (form) showFields(form);
    });
    panel.addEventListener("input", (event) => {
        const { target } = event;
        if (target.matches("[data-search]")) narrow(target);
        if (target.matches("[data-weight]")) showShares(target.closest("[data-shares]"));
        if (target.matches("[data-value]")) grow(target);
    });
    panel.addEventListener("click", (event) => {
        const pressed = (selector) => event.target.closest(selector);
        if (pressed("[data-row-add]")) addRow(pressed("[data-row-add]"));
        else if (pressed("[data-row-remove]")) removeRow(pressed("[data-row-remove]"));
        else if (pressed("[data-row-up]")) moveRow(pressed("[data-row-up]"), -1);
        else if (pressed("[data-row-down]")) moveRow(pressed("[data-row-down]"), 1);
    });
    panel.addEventListener("keydown", (event) => {
        // Enter in a line to search or in a row goes nowhere: the form is saved by its button, or by Ctrl+Enter
        if (event.key === "Enter" && !event.ctrlKey && !event.metaKey && event.target.matches("input:not([type=submit])")) event.preventDefault();
    });
}

export function showFields(form) {
    for (const field of form.querySelectorAll("[data-when]")) {
        const below = field.dataset.field.slice(0, field.dataset.field.lastIndexOf(".") + 1);
        const when = Object.entries(JSON.parse(field.dataset.when));
        field.hidden = !when.every(([name, words]) => words.includes(valueOf(form, `${below}${name}`)));
    }
    for (const picker of form.querySelectorAll("[data-picker]")) pick(picker);
    for (const kind of form.querySelectorAll("[data-kind-of]")) fit(kind);
    for (const body of form.querySelectorAll("[data-body]")) body.parentElement.querySelector("textarea").hidden = body.value !== "own";
    for (const rule of form.querySelectorAll("[data-recurrence]")) recur(rule);
    for (const rows of form.querySelectorAll("[data-shares]")) showShares(rows);
    for (const value of form.querySelectorAll("[data-value]")) grow(value);
}

function valueOf(form, name) {
    const control = form.elements.namedItem(name);
    if (control?.type === "checkbox") return control.checked ? "True" : "False";
    return control?.value ?? "";
}

function pick(picker) {
    const chosen = picker.querySelector("select").selectedOptions[0];
    const note = picker.querySelector("[data-note]:not(option)");
    const open = picker.querySelector("[data-open]");
    if (chosen?.dataset.note === undefined && chosen?.value) return; // the one that is missing: its note stays
    note.textContent = chosen?.dataset.note ?? "";
    note.hidden = !note.textContent;
    open.hidden = !chosen?.dataset.link;
    if (!open.hidden) open.href = chosen.dataset.link;
}

// Options that do not hold what is searched for are out of the way; the chosen one never is.
function narrow(search) {
    const wanted = search.value.trim().toLowerCase();
    for (const option of search.parentElement.querySelectorAll("option")) {
        option.hidden = !option.selected && !`${option.textContent} ${option.value}`.toLowerCase().includes(wanted);
    }
}

function fit(kind) {
    const value = kind.closest("[data-row]").querySelector("[data-value]");
    value.hidden = FIXED.has(kind.value);
    value.placeholder = { ref: "A property of the event", json: "[1, 2]", number: "0" }[kind.value] ?? "Value";
}

function recur(rule) {
    const often = rule.querySelector("select").value;
    for (const part of rule.querySelectorAll("[data-often]")) part.hidden = !part.dataset.often.split(" ").includes(often);
}

// As high as its text.
function grow(area) {
    area.style.height = "auto";
    if (area.scrollHeight) area.style.height = `${area.scrollHeight + 2}px`;
}
