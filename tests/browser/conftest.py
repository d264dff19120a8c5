"""A browser, and an installation to look at. Skipped where there is no Chromium.

bin/test tests/browser                  # the tests
bin/test tests/browser --screenshots    # instead of them: a picture of every page in var/screenshots
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "1")  # Playwright's sync door runs a loop of its own in this thread

# The shell is the same browser without its own window, tabs and bars, which nobody sees here: a quarter of the work.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser")
CHROMIUM = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
SHOTS = "test_screenshots.py"


def pytest_addoption(parser: pytest.Parser) -> None:
    what = "a picture of every page, light and dark, for a desk and a telephone, in var/screenshots; nothing else"
    parser.addoption("--screenshots", action="store_true", help=what)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Pictures are asked for, and then nothing else is done."""
    here = collection_path.parent == Path(__file__).parent and collection_path.name.startswith("test_")
    return True if here and (collection_path.name == SHOTS) != config.getoption("screenshots") else None


@pytest.fixture(scope="session")
def browser() -> Iterator[object]:
    sync_api = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium here (set CHROMIUM to its path)")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def lively(transactional_db, settings) -> Iterator[object]:
    """A `tests.browser.installation.Lively`: an installation in which every page of `pages.PAGES` shows something."""
    from contacts import clock
    from tests.analytics.reports import marts
    from tests.browser.installation import settle

    settings.TOPICS = {"newsletter": "Newsletter", "offers": "Offers and sales"}
    yield settle(now=clock.now())
    marts.drop()
