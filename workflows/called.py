"""What people call a journey of which only the slug is known: in reports, whose marts name it by what never changes.

Names are read once in a request, however often they are shown, and afresh everywhere else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from asgiref.local import Local
from django.core.signals import request_finished, request_started

from workflows.models import Workflow

_asked = Local()  # `.names`: what this request has read; there is none outside a request


def name(slug: str) -> str:
    """The journey's name, with its slug where others are called so too; the slug itself where there is no such
    journey."""
    return names().get(slug, slug)


def names() -> Mapping[str, str]:
    """Slug -> name, of every journey. One statement a request."""
    known: dict[str, str] | None = getattr(_asked, "names", None)
    if known:
        return known
    read = _read()
    if known is not None:
        _asked.names = read
    return read


def _read() -> dict[str, str]:
    found = dict(Workflow.objects.values_list("slug", "name"))
    often = Counter(found.values())
    return {slug: called if often[called] == 1 else f"{called} ({slug})" for slug, called in found.items()}


def _begin(**_: Any) -> None:
    _asked.names = {}


def _end(**_: Any) -> None:
    if hasattr(_asked, "names"):
        del _asked.names


request_started.connect(_begin, dispatch_uid="names of journeys are read once in a request")
request_finished.connect(_end, dispatch_uid="names of journeys are read afresh outside requests")
