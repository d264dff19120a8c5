"""Which provider takes a channel's messages now, and which classes of them may go at all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from delivery import providers
from delivery.gate import CLASSES
from delivery.rates import stopping


@dataclass(frozen=True)
class Way:
    """`provider`: a name; empty: nobody delivers the channel. `classes` that may go now; empty: all of them wait."""

    provider: str
    classes: tuple[str, ...]


def way(channel: str, *, now: datetime) -> Way:
    """The first of the channel's providers that is not stopped; nothing goes while all of them are."""
    names = providers.names(channel)
    if not names:
        return Way("", CLASSES)
    usable = [name for name in names if not stopping.is_stopped(name)]
    return Way(usable[0], CLASSES) if usable else Way(names[0], ())
