"""What copying new people takes, made out of their rows before anybody knows which ids they will get: so that whoever
reads a file does most of the work, while PostgreSQL is busy with the rows before."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, repeat
from typing import NamedTuple

from django.db import connection

from contacts.consent import DENIED
from contacts.importing.rows import CELL, Name, Row, named, profile_cells
from contacts.upserting import FIELDS

_ROW = "\ud800"  # stands between rows until they are escaped: half a character, which is never part of a text
_VERSION_4 = bytes(0x40 | byte & 0x0F for byte in range(256))
_VARIANT_1 = bytes(0x80 | byte & 0x3F for byte in range(256))

IDENTITIES = "contact_id, kind, value, first_seen_at"
CONTACTS = f"id, public_id, {', '.join(FIELDS)}, attributes, created_at, updated_at"
CONSENTS = "contact_id, category, topic, state, recorded_at, source"


class Lines(NamedTuple):
    """Rows of one table, in PostgreSQL's text format. Each lacks its beginning, the id of a contact (`owners[i]`: of
    which of the new ones), and its end (see `end`)."""

    owners: Sequence[int]
    texts: Sequence[str]

    def completed(self, ids: Sequence[str], ends: Iterable[str]) -> bytes:
        """The text to send. `ends`: one for each row, or for ever the same."""
        mine = [ids[owner] for owner in self.owners]
        return "".join(chain.from_iterable(zip(mine, repeat("\t"), self.texts, ends))).encode()


def end(*cells: str) -> str:
    """The end of a row that has these cells last."""
    return "\t" + _escaped(CELL.join(cells)).replace(CELL, "\t") + "\n"


class Denial(NamedTuple):
    owner: int
    category: str
    topic: str


@dataclass(frozen=True)
class Copies:
    """`numbers`: the positions of the rows that can be copied, if nobody knows them yet; `others`: of those that
    cannot, since another row of the batch names the same person. `names[i]` belongs to the i-th row; `begun[i]`, when
    they were first seen as far as the row says, to the i-th of `numbers`."""

    names: Sequence[Sequence[Name]]
    numbers: Sequence[int]
    others: Sequence[int]
    identities: Lines
    contacts: Lines
    consents: Lines
    denials: Sequence[Denial]
    begun: Sequence[datetime | None]


def names_of(row: Row) -> Sequence[Name]:
    """How the row names its person, in the form in which names are compared."""
    return row.names or named(row.person)


def divide(names: Sequence[Sequence[Name]], known: Collection[Name] = ()) -> tuple[list[int], list[int]]:
    """The positions of people of whom neither the database nor another row of the batch knows any name, and of the
    others: what becomes of those depends on nobody else, so their order does not matter. Pure."""
    several = list(chain.from_iterable(names))
    shared: set[Name] = set(known)
    if len(set(several)) != len(several):
        seen: set[Name] = set()
        for each in names:
            mine = set(each)
            shared |= mine & seen
            seen |= mine
    if not shared:
        return list(range(len(names))), []
    fresh: list[int] = []
    rest: list[int] = []
    for number, each in enumerate(names):
        (fresh if shared.isdisjoint(each) else rest).append(number)
    return fresh, rest


def prepare(
    rows: Sequence[Row],
    *,
    names: Sequence[Sequence[Name]] | None = None,
    divided: tuple[Sequence[int], Sequence[int]] | None = None,
) -> Copies:
    """Everything that can be known of copying these rows. `divided`: as `divide` has it, where more is known than the
    rows. Touches no database."""
    names = [names_of(row) for row in rows] if names is None else names
    numbers, others = divided or divide(names)
    new = [rows[number] for number in numbers]
    consents, denials = _consents(new)
    return Copies(
        names,
        numbers,
        others,
        _identities([names[number] for number in numbers]),
        _contacts(new),
        consents,
        denials,
        [row.person.created_at for row in new],
    )


def _identities(names: Sequence[Sequence[Name]]) -> Lines:
    """In the order in which everybody inserts identities, so that two who meet wait in one direction only."""
    values: dict[str, list[str]] = {}
    owners: dict[str, list[int]] = {}
    for owner, each in enumerate(names):
        for kind, value in each:
            if kind not in values:
                values[kind], owners[kind] = [], []
            values[kind].append(value)
            owners[kind].append(owner)
    sorted_owners: list[int] = []
    lines: list[str] = []
    for kind in sorted(values):
        mine, whose = values[kind], owners[kind]
        order = sorted(range(len(mine)), key=mine.__getitem__)  # quicker than of pairs
        sorted_owners += [whose[position] for position in order]
        lines += [f"{kind}{CELL}{mine[position]}" for position in order]
    return Lines(sorted_owners, _texts(lines))


def _contacts(new: Sequence[Row]) -> Lines:
    lines = [
        f"{public_id}{CELL}{row.cells or profile_cells(row.person)}"
        for public_id, row in zip(_public_ids(len(new)), new, strict=True)
    ]
    return Lines(range(len(new)), _texts(lines))


def _consents(new: Sequence[Row]) -> tuple[Lines, list[Denial]]:
    owners: list[int] = []
    lines: list[str] = []
    denials: list[Denial] = []
    for owner, row in enumerate(new):
        consents = row.person.consents
        # all of marketing goes before its topics: the later word holds
        for category, topic in sorted(consents, key=lambda about: about[1]) if len(consents) > 1 else consents:
            state = consents[category, topic]
            owners.append(owner)
            lines.append(f"{category}{CELL}{topic}{CELL}{state}")
            if state == DENIED:
                denials.append(Denial(owner, category, topic))
    return Lines(owners, _texts(lines)), denials


def _public_ids(count: int) -> Iterator[str]:
    """Random UUIDs. PostgreSQL would ask the system for each of its own."""
    dice = bytearray(os.urandom(16 * count))
    dice[6::16] = dice[6::16].translate(_VERSION_4)
    dice[8::16] = dice[8::16].translate(_VARIANT_1)
    digits = dice.hex()
    return (digits[start : start + 32] for start in range(0, 32 * count, 32))


def _texts(lines: Sequence[str]) -> list[str]:
    """Escaped all at once: a call for each cell would cost more than the rest. Raises ValueError for a line that has
    what no text has."""
    if not lines:
        return []
    texts = _escaped(_ROW.join(lines)).replace(CELL, "\t").split(_ROW)
    if len(texts) != len(lines):
        raise ValueError("half a character is no text")
    return texts


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")


def send(target: str, text: bytes) -> None:
    """Copy these rows into `target`, which names the columns, too."""
    if text:
        with (
            connection.cursor() as cursor,
            connection.wrap_database_errors,
            cursor.copy(f"COPY {target} FROM STDIN") as c,
        ):
            c.write(text)
