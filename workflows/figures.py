"""The numbers of journeys, for the pages of this floor. Counting lives upstairs, which registers itself here."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Figures:
    """`here_now` is everybody who is unfinished: pending, active and waiting."""

    entered: int
    here_now: int
    waiting: int
    completed: int
    exited: int
    failed: int


Source = Callable[[Collection[int]], Mapping[int, Figures]]
_sources: dict[str, Source] = {}


def register(source: Source) -> None:
    _sources["counters"] = source


def figures(workflow_ids: Collection[int]) -> Mapping[int, Figures]:
    """The numbers of each workflow that has any."""
    source = _sources.get("counters")
    return source(workflow_ids) if source and workflow_ids else {}
