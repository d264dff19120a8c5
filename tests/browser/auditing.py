"""What axe-core finds on a page, and whether the page keeps to its window."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

AXE = Path(settings.BASE_DIR) / "var" / "axe" / "node_modules" / "axe-core" / "axe.min.js"
STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
COLOURS = ["color-contrast", "link-in-text-block"]  # all that another colour scheme can break
# Frames are left out: what stands in them is a mail, which is audited where mails are made.
_RUN = """async ([type, values]) => {
    const { violations } = await axe.run({ runOnly: { type, values }, resultTypes: ['violations'], iframes: false });
    return violations.map(({ id, help, nodes }) => `${id}: ${help}\\n` + nodes.map(
        ({ html, failureSummary }) => `    ${html.slice(0, 200)}\\n      ${failureSummary.replaceAll('\\n', ' ')}`
    ).slice(0, 5).join('\\n'));
}"""
SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
# A telephone, and a window of 1440 pixels enlarged to 200 %.
NARROW = {"390 px": (390, 844, 1), "200 %": (720, 450, 2)}


def is_installed() -> bool:
    return AXE.exists()


def require_axe() -> None:
    """Skips the test where axe-core is not installed."""
    if not is_installed():
        pytest.skip("axe-core is not installed: tests/browser/install.sh does that (it needs npm)")


def audit(page: Any, about: str, *, colours_alone: bool = False) -> list[str]:
    """Every violation on the page as it stands, each with up to five of its elements. `colours_alone`: where the same
    page was audited in other colours."""
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(AXE.read_text(encoding="utf-8"))
    asked = ["rule", COLOURS] if colours_alone else ["tag", STANDARDS]
    return [f"{about}: {found}" for found in page.evaluate(_RUN, asked)]


def too_wide(page: Any, about: str) -> list[str]:
    """At which of the narrow windows the page scrolls sideways. The window is as it was before, afterwards."""
    from playwright.sync_api import TimeoutError as PlaywrightTimeout

    before = page.viewport_size
    screen = page.context.new_cdp_session(page)
    found = []
    for name, (width, height, scale) in NARROW.items():
        screen.send(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": False},
        )
        try:  # charts follow a new width a moment later
            page.wait_for_function(f"{SIDEWAYS} <= 0", timeout=3000)
        except PlaywrightTimeout:
            over = page.evaluate(SIDEWAYS)
            found.append(f"{about}: {over} px too wide at {name}")
    screen.detach()
    page.set_viewport_size(before)
    return found
