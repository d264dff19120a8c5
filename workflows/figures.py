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

    @property
    def done(self) -> int:
        """Whoever came to an end, by whichever way."""
        return self.completed + self.exited + self.failed


Source = Callable[[Collection[int]], Mapping[int, Figures]]
OfVersions = Callable[[int], Mapping[int, Figures]]
_sources: dict[str, tuple[Source, OfVersions]] = {}


def register(source: Source, of_versions: OfVersions) -> None:
    _sources["counters"] = source, of_versions


def figures(workflow_ids: Collection[int]) -> Mapping[int, Figures]:
    """The numbers of each workflow that has any."""
    source = _sources.get("counters")
    return source[0](workflow_ids) if source and workflow_ids else {}


def of_versions(workflow_id: int) -> Mapping[int, Figures]:
    """The numbers of each version of a workflow that has any, by the version's id."""
    source = _sources.get("counters")
    return source[1](workflow_id) if source else {}
