from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def bells() -> None:
    """Doorbells ring here: a scratch answers them itself."""
