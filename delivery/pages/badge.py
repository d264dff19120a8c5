"""What the menu says beside an entry of the post office."""

from __future__ import annotations

from django.http import HttpRequest

from contacts import clock
from delivery import trouble


def trouble_count(request: HttpRequest) -> str:
    """How many troubles there are; empty: none."""
    found = trouble.glance(now=clock.now())
    return str(len(found)) if found else ""
