// Rows of the same parts: paths, variants, units, pairs. Their order is the order in which they are sent.
import { mountConditions } from "./conditions.js";

let added = 0;

export function addRow(button) {
    const rows = button.closest("[data-rows]");
    added += 1;
    const copied = rows.querySelector(":scope > template").innerHTML.replaceAll("__new__", `new${added}`);
    const holder = document.createElement("div");
    holder.innerHTML = copied;
    const row = holder.querySelector("[data-row]");
    rows.querySelector("ol").append(row);
    mountConditions(row, row.closest("#builder"));
    tell(row);
    row.querySelector("input:not([type=hidden]), select, textarea")?.focus();
}

export function removeRow(button) {
    const row = button.closest("[data-row]");
    const rows = row.closest("[data-rows]");
    const neighbour = row.nextElementSibling ?? row.previousElementSibling;
    row.remove();
    (neighbour?.querySelector("[data-row-remove]") ?? rows.querySelector("[data-row-add]")).focus();
    tell(rows);
}

export function moveRow(button, by) {
    const row = button.closest("[data-row]");
    const other = by < 0 ? row.previousElementSibling : row.nextElementSibling;
    if (!other) return;
    if (by < 0) other.before(row);
    else other.after(row);
    button.focus();
    tell(row);
}

// Each share of the whole, and what the weights add up to.
export function showShares(rows) {
    const weights = [...rows.querySelectorAll(":scope > ol [data-weight]")];
    const heavy = (each) => Math.max(0, Number(each.value) || 0); // less than nothing is told as wrong, and counts for nothing
    const total = weights.reduce((sum, each) => sum + heavy(each), 0);
    for (const each of weights) {
        const share = total ? (100 * heavy(each)) / total : 0;
        each.closest("[data-row]").querySelector("[data-share]").textContent = `${Number(share.toPrecision(3))} %`;
    }
    const whole = Number(total.toPrecision(6));
    rows.querySelector("[data-sum]").textContent = whole === 100 ? "The weights add up to 100." : `The weights add up to ${whole}; each share is of that.`;
}

function tell(from) {
    from.dispatchEvent(new Event("change", { bubbles: true }));
}
