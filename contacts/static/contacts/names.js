/* Names that Unfold and Django leave out of their own pages, for whoever does not see them, and where the focus begins.
   Read before SimpleBar makes a region, called "scrollable content", of everything that scrolls. */
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  for (const box of document.querySelectorAll("[data-simplebar]:not([data-simplebar-aria-label])")) {
    box.dataset.simplebarAriaLabel = box.closest("#nav-sidebar, aside, nav") ? "Menu, scrollable" : "Results, scrollable";
  }
  // A browser forgets `autofocus` where it was not at rest when the page was drawn first.
  if (document.activeElement === document.body) document.querySelector("[autofocus]")?.focus();
});

// SelectFilter2 builds its boxes when the page is loaded.
addEventListener("load", () => setTimeout(() => {
  for (const hint of document.querySelectorAll(".help-tooltip[aria-label]")) hint.setAttribute("role", "img");
}));
