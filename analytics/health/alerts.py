"""What should not be as it is: sources look, and say what they found. Who is told, when and how often is decided in
`alerts_open` and `alerts_telling`, for all of them alike.

A source is registered where the app is made ready:

    alerts.register(alerts.Source("warehouse", look, every=timedelta(minutes=5)))

    def look(now: datetime) -> Iterable[alerts.Finding]:
        yield alerts.Finding("failed", alerts.CRITICAL, "The warehouse was not built", "The run of ... failed: ...")
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

WARNING = "warning"
CRITICAL = "critical"


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be, at this moment.

    `key` is the same for as long as it is the same thing, and is its own within its source (`urgent:events`): no figure
    that changes belongs in it. `title` is one line in words, `detail` the figures; nothing of a person in either.
    `where`: the path of the admin's page that shows it, if there is one."""

    key: str
    severity: str  # WARNING · CRITICAL
    title: str
    detail: str
    where: str = ""


@dataclass(frozen=True)
class Source:
    """`look(now)` says what is wrong now: whatever it does not say any more is over. It only reads, in a transaction of
    its own, and may raise: then nothing is concluded from its silence. `name` is the first part of the keys and the
    anchor of what to do about it in docs/operations/runbook.md.

    A finding opens an alert when it held for `opens_after`, and closes it when it was gone for `closes_after`, so what
    comes and goes tells nobody every time."""

    name: str
    look: Callable[[datetime], Iterable[Finding]]
    every: timedelta = timedelta(seconds=30)
    opens_after: timedelta = timedelta(seconds=60)
    closes_after: timedelta = timedelta(minutes=5)


_sources: dict[str, Source] = {}


def register(source: Source) -> None:
    """Have a source looked at. Raises ValueError for a name that is another's."""
    if (known := _sources.get(source.name)) is not None and known != source:
        raise ValueError(f"two sources of alerts are named {source.name}")
    _sources[source.name] = source


def sources() -> tuple[Source, ...]:
    """Every source, by name."""
    return tuple(_sources[name] for name in sorted(_sources))
