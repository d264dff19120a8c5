"""What the house holds of a person, table by table: one declaration for export, erasure and merge alike.

Every floor declares its own tables in its `holdings.py`, when its app is ready. A table with a contact in it that
nobody declared fails a test (`tests/house/test_holdings.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

MOVE, UNITE, DROP, STAY = "move", "unite", "drop", "stay"
KEEP: Mapping[str, str] = {}  # erasing leaves the rows as they are: nothing in them is personal without the profile


@dataclass(frozen=True)
class Holding:
    """Rows about a contact.

    `columns`: what an export shows of them, under `title`. `erase`: column -> the SQL constant that takes its place;
    None deletes the rows. `where`: which rows are somebody's, over the array parameter %(contacts)s, for tables that
    name the contact in another way than by a column `contact` (which such a table then leaves empty).

    `merge`: MOVE gives the rows to the survivor; DROP deletes them, as something that is rebuilt for the survivor;
    STAY leaves them. `once`: the columns that are unique together with the contact: where the survivor has such a row
    already, the absorbed contact's stays behind (UNITE: is deleted). `key`: the column that names a row in the ledger
    of merges. `worked_on`: workers hold such a row while they wait for its contact, so a merge locks these rows first.
    `append_only`: the table refuses changes but on the guarded path."""

    table: str
    title: str
    columns: tuple[str, ...]
    erase: Mapping[str, str] | None = field(default_factory=dict)
    merge: str = MOVE
    once: tuple[str, ...] = ()
    contact: str = "contact_id"
    key: str = "id"
    where: str = "contact_id = ANY(%(contacts)s)"
    append_only: bool = False
    worked_on: bool = False


_holdings: dict[str, Holding] = {}


def register(*holdings: Holding) -> None:
    """Called once per floor from `AppConfig.ready()`. Raises ValueError for a table that is declared already."""
    for holding in holdings:
        if holding.table in _holdings:
            raise ValueError(f"the table {holding.table} is declared already")
        _holdings[holding.table] = holding


def all_holdings() -> tuple[Holding, ...]:
    """In the order of their registration: the ground floor first."""
    return tuple(_holdings.values())
