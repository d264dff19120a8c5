"""An installation to look at, with the `browser` of tests/conftest.py. Skipped where there is no Chromium.

bin/test tests/browser                  # the tests
bin/test tests/browser --screenshots    # instead of them: a picture of every page in var/screenshots
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

SHOTS = "test_screenshots.py"


def pytest_addoption(parser: pytest.Parser) -> None:
    what = "a picture of every page, light and dark, for a desk and a telephone, in var/screenshots; nothing else"
    parser.addoption("--screenshots", action="store_true", help=what)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Pictures are asked for, and then nothing else is done."""
    here = collection_path.parent == Path(__file__).parent and collection_path.name.startswith("test_")
    return True if here and (collection_path.name == SHOTS) != config.getoption("screenshots") else None


@pytest.fixture
def lively(transactional_db, settings) -> Iterator[object]:
    """A `tests.browser.installation.Lively`: an installation in which every page of `pages.PAGES` shows something."""
    from contacts import clock
    from tests.analytics.reports import marts
    from tests.browser.installation import settle

    settings.TOPICS = {"newsletter": "Newsletter", "offers": "Offers and sales"}
    yield settle(now=clock.now())
    marts.drop()
