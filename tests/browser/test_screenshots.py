"""A picture of every page, to be looked at: `bin/test tests/browser --screenshots`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from tests.browser.pages import PAGES, open_page
from tests.browser.visit import visiting

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(1800)]

FOLDER = Path(settings.BASE_DIR) / "var" / "screenshots"
SIZES = {1440: 900, 390: 844}
LONGEST = 3000  # pixels; what follows in a list looks like what was before


@pytest.mark.parametrize("width", SIZES)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_has_its_picture_taken(browser, live_server, lively, theme, width):
    """All of them, whatever is wrong with some: that is told at the end."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    wrong: dict[str, str] = {}
    with visiting(browser, live_server.url, dark=theme == "dark", width=width, height=SIZES[width]) as visitor:
        page = visitor.page
        for each in PAGES:
            try:
                open_page(visitor, each, lively)
            except AssertionError as error:
                wrong[each.name] = str(error)
            page.wait_for_load_state("networkidle")
            page.screenshot(path=FOLDER / f"{each.name}-{theme}-{width}.png", animations="disabled", **_whole(page))
            if visitor.complaints:
                wrong[each.name] = "; ".join(visitor.complaints)
                visitor.complaints.clear()
    assert wrong == {}


def _whole(page: Any) -> dict[str, Any]:
    """The window, or all of a page that is longer."""
    size = page.viewport_size
    tall = min(page.evaluate("document.documentElement.scrollHeight"), LONGEST)
    return {"full_page": True, "clip": {"x": 0, "y": 0, **size, "height": max(tall, size["height"])}}
