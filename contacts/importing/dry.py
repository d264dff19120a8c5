"""What an import would do, without doing it: who would be created, changed or left as they are."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from contacts.importing.bulk import Stored, known_names
from contacts.importing.copying import names_of
from contacts.importing.rows import Row
from contacts.importing.shape import FILL, SKIP, Options
from contacts.upserting import foresee as foreseen


def foresee(rows: Sequence[Row], *, options: Options, now: datetime) -> Stored:
    """The figures of `bulk.store`, which writes nothing here. Tags and lists are not looked for, and somebody who
    stands in two batches of the file and is new counts as created in both."""
    result = Stored()
    if options.existing == SKIP:
        names = [names_of(row) for row in rows]
        known = known_names(names)
        new = [row for row, mine in zip(rows, names, strict=True) if not any(name in known for name in mine)]
        result.unchanged, rows = len(rows) - len(new), new
    done = foreseen([row.person for row in rows], fills_only=options.existing == FILL, now=now)
    people = set(done.contact_ids)
    result.created += len(done.created)
    result.updated += len(done.updated)
    result.unchanged += len(people - done.created - done.updated)
    result.repeated += len(rows) - len(people)
    return result
