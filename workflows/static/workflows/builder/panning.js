// The map under the hand: its ground is pulled with the mouse. Fingers scroll it by themselves.
export function pan(view) {
    let from = null;
    view.addEventListener("pointerdown", (event) => {
        if (event.pointerType === "touch" || event.button !== 0) return;
        if (event.target.closest("button, a, .jb-card")) return;
        from = { x: event.clientX, y: event.clientY, left: view.scrollLeft, top: view.scrollTop };
        view.setPointerCapture(event.pointerId);
        view.classList.add("jb-pulled");
    });
    view.addEventListener("pointermove", (event) => {
        if (from) view.scrollTo(from.left - event.clientX + from.x, from.top - event.clientY + from.y);
    });
    for (const end of ["pointerup", "pointercancel"]) {
        view.addEventListener(end, () => {
            from = null;
            view.classList.remove("jb-pulled");
        });
    }
}
