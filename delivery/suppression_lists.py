"""Lists of suppressed addresses, in and out: what another system knows of whom not to write to is not lost by moving
here, and ours can be taken along."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from django.db import connection

from contacts import audit, authority, spreadsheets, transactions
from contacts.identifiers import is_email
from contacts.spreadsheets import original
from delivery import addresses, suppression
from delivery.suppression import NewSuppression

AT_ONCE = 500
LONGEST_LINE = 10_000  # characters
FAULTS_KEPT = 200
ADDRESS = ("address", "email", "e-mail", "email address", "recipient")
COLUMNS = {"reason": ("reason", "type", "suppression reason"), "scope": ("scope",)}
REASONS: Mapping[str, str] = {  # what others call them
    "manual": "manual",
    "": "manual",
    "unsubscribe": "unsubscribe",
    "unsubscribed": "unsubscribe",
    "opt-out": "unsubscribe",
    "hard_bounce": "hard_bounce",
    "hard bounce": "hard_bounce",
    "hardbounce": "hard_bounce",
    "bounce": "hard_bounce",
    "bounced": "hard_bounce",
    "invalid": "hard_bounce",
    "soft_bounce": "soft_bounce",
    "blocked": "soft_bounce",
    "complaint": "complaint",
    "spam": "complaint",
    "spam report": "complaint",
    "spamcomplaint": "complaint",
    "provider": "provider",
}
_SCOPE_OF = {"hard_bounce": "all", "complaint": "all"}  # where the list says nothing; else marketing e-mail


class BadList(ValueError):
    """The file cannot be read as a list of addresses; the words say why."""


@dataclass(frozen=True)
class Listed:
    """An address of the list and why it is on it."""

    address: str
    scope: str
    reason: str


@dataclass
class TakenIn:
    """`added`: suppressions that are new; `standing`: rows that changed nothing. `faults`: line numbers and what is
    wrong there, the first FAULTS_KEPT of `refused`."""

    rows: int = 0
    added: int = 0
    refused: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    faults: list[tuple[int, str]] = field(default_factory=list)

    @property
    def standing(self) -> int:
        return max(0, self.rows - self.refused - self.added)

    def refuse(self, line: int, why: str) -> None:
        self.refused += 1
        if len(self.faults) < FAULTS_KEPT:
            self.faults.append((line, why))


def take_in(
    lines: Iterable[str],
    *,
    source: str,
    most: int | None = None,
    tell: Callable[[TakenIn], None] = lambda taken: None,
    dry: bool = False,
) -> TakenIn:
    """Suppress every e-mail address of a CSV list; columns `address`, and `reason` and `scope` if there are any.

    A row that cannot be taken is told with its line, and loses none of the others; what was taken stays, so a list may
    be brought in twice. AT_ONCE rows a transaction; after each, it is waited for until no request to its addresses can
    start any more, and `tell` is called. `most`: rows that are taken at most. `dry`: count
    only, store nothing (an address that stands in the list again is new again). Raises BadList."""
    authority.require("delivery.add_suppression")
    rows = _rows(lines)
    columns = _columns(next(rows, (1, []))[1])
    taken = TakenIn()
    while some := list(islice(rows, AT_ONCE)):
        if most is not None and taken.rows + len(some) > most:
            some = some[: most - taken.rows]
            taken.refuse(
                some[-1][0] + 1 if some else 0, f"the list is longer than {most:,} rows; the rest was left out"
            )
            rows = iter(())
        taken.rows += len(some)
        _store(list(_read(some, columns, taken)), source, taken, dry=dry)
        tell(taken)
    return taken


def _rows(lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """Lines that hold anything, with their numbers."""
    given = iter(lines)
    head = next(given, "").lstrip("\ufeff")
    if "\x00" in head or len(head) > LONGEST_LINE:
        raise BadList("The file is no text with columns.")
    reader = csv.reader(_bounded(head, given), delimiter=max(",;\t|", key=head.count))
    try:
        for row in reader:
            if any(row):
                yield reader.line_num, row
    except csv.Error as error:
        raise BadList(f"The file is no CSV from line {reader.line_num} on: {error}.") from error


def _bounded(head: str, lines: Iterator[str]) -> Iterator[str]:
    yield head
    for line in lines:
        yield line[:LONGEST_LINE].replace("\x00", "\ufffd")


def _columns(header: Sequence[str]) -> Mapping[str, int]:
    names = [name.strip().lower() for name in header]
    found = {column: names.index(name) for column, known in COLUMNS.items() for name in known if name in names}
    address = next((names.index(name) for name in ADDRESS if name in names), None)
    if address is None:
        raise BadList("No column is called address or email. The first line has to name the columns.")
    return {"address": address, **found}


def _read(rows: Sequence[tuple[int, list[str]]], columns: Mapping[str, int], taken: TakenIn) -> Iterator[Listed]:
    for line, row in rows:
        cells = {name: original(row[at].strip()) if at < len(row) else "" for name, at in columns.items()}
        reason = REASONS.get(cells.get("reason", "").lower())
        scope = cells.get("scope", "").lower() or _SCOPE_OF.get(reason or "", "email")
        if not is_email(cells["address"]):
            taken.refuse(line, "is no e-mail address")
        elif reason is None:
            taken.refuse(line, f"nobody knows the reason {cells['reason'][:40]!r}")
        elif len(scope) > 100 or not scope.replace("-", "").replace("_", "").isalnum():
            taken.refuse(line, "the scope is all, email or the name of a topic")
        else:
            yield Listed(cells["address"], scope, reason)


def _store(listed: Sequence[Listed], source: str, taken: TakenIn, *, dry: bool) -> None:
    if not listed:
        return

    def work(now: datetime) -> tuple[list[int], int]:
        ids = addresses.rows(channel="email", given={each.address for each in listed}, now=now)
        addresses.lock(ids.values())
        before = _standing(ids.values())
        wanted = [NewSuppression(ids[each.address], each.scope, each.reason, source) for each in listed]
        suppression.record(wanted, now=now)
        entered = {(one.address_id, one.scope, one.reason) for one in wanted}
        audit.note_each(
            "address.suppressed",
            "address",
            [(pk, None, {"scope": scope, "reason": reason, "source": source}) for pk, scope, reason in sorted(entered)],
        )
        return sorted(set(ids.values())), _standing(ids.values()) - before

    if dry:
        _, added = transactions.try_out(work)
    else:
        address_ids, added = transactions.run(work)
        suppression.drain(address_ids)
    taken.added += added
    taken.reasons.update(each.reason for each in listed)


def _standing(address_ids: Iterable[int]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM suppressions WHERE address_id = ANY(%s) AND released_at IS NULL", [list(address_ids)]
        )
        return cursor.fetchone()[0]


HEADER = ("address", "channel", "scope", "reason", "source", "since")
_NEXT_PAGE = """
    SELECT s.id, a.shown, a.channel, s.scope, s.reason, s.source, s.created_at
      FROM suppressions s JOIN addresses a ON a.id = s.address_id
     WHERE s.id > %s AND s.released_at IS NULL AND a.shown <> '' ORDER BY s.id LIMIT %s
"""


def export(page: int = 2_000) -> Iterator[str]:
    """Everything that stands, as CSV, a page at a time; addresses of the erased are nobody's to tell. No cell of it is
    a formula to a spreadsheet."""
    yield spreadsheets.lines([HEADER])
    last = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(_NEXT_PAGE, [last, page])
            rows = cursor.fetchall()
        if not rows:
            return
        last = rows[-1][0]
        yield spreadsheets.lines([(*row[1:6], row[6].isoformat()) for row in rows])
