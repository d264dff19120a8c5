"""The segments that there are, read for work: their conditions parsed, the lowest level first."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache

from django.db import connection

from contacts.conditions import BadCondition, Condition, parse
from contacts.conditions.reading import ANY_EVENT

log = logging.getLogger(__name__)

EVERYTHING = "created"  # of a new contact any condition may be true; and of one that was merged or erased


@dataclass(frozen=True)
class Definition:
    """A segment as it is written. `live`: changes of its membership are told."""

    id: int
    slug: str
    condition: Condition
    live: bool
    level: int
    reads: frozenset[str]
    moves_with_time: bool

    @property
    def about(self) -> str:
        """The name under which a contact is asked about in this segment, whatever it reads."""
        return about_itself(self.slug)

    def concerned(self, abouts: Collection[str]) -> bool:
        """Whether its truth about a contact may be another one after these."""
        if EVERYTHING in abouts or self.about in abouts or not self.reads.isdisjoint(abouts):
            return True
        return ANY_EVENT in self.reads and any(about.startswith("event:") for about in abouts)


def about_itself(slug: str) -> str:
    return f"itself:{slug}"


def load() -> tuple[Definition, ...]:
    """All segments by level, held so that none is deleted before the caller's transaction ends. One whose condition
    can no longer be read (a floor that knew its fields is gone) is left as it is, and the log says so."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, slug, condition::text, state, level, reads, moves_with_time FROM segments "
            "ORDER BY level, id FOR KEY SHARE"
        )
        rows = cursor.fetchall()
    found = []
    for segment_id, slug, condition, state, level, reads, moves in rows:
        try:
            parsed = _parsed(condition)
        except BadCondition:
            log.error("the condition of segment %s cannot be read; its membership stays as it is", slug)
            continue
        found.append(Definition(segment_id, slug, parsed, state == "live", level, frozenset(reads), moves))
    return tuple(found)


@lru_cache(maxsize=1000)
def _parsed(condition: str) -> Condition:
    """The same text is the same tree: conditions are parsed once per process, however often they are asked."""
    return parse(json.loads(condition))
