from __future__ import annotations

from collections.abc import Iterator

import pytest

from contacts import clock
from tests.analytics.reports import marts


@pytest.fixture
def built(db) -> None:
    """The marts of last night."""
    marts.build(clock.now())


@pytest.fixture
def built_for_all(transactional_db) -> Iterator[None]:
    """The same, for tests that commit."""
    marts.build(clock.now())
    yield
    marts.drop()
