"""What Citus would make of our schema: which table would be divided by what, and which promises of it could not be
declared any more. The rules are those of Citus 13's documentation; the schema is the database's own.

A unique constraint of a divided table has to hold its column; a foreign key between two divided tables has to join the
columns that they are divided by, and may else lead to a reference table only; a divided or a reference table has no
triggers of ours; what is neither stays on the coordinator, and nothing else may refer to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.drills.rig import summary

COLUMN = "contact_id"  # whoever has it is divided by it
DIVIDED = {"contacts": "id"}
# what every step reads and people write now and then: whole on every machine
REFERENCE = {
    "awaited_events", "experiments", "freezes", "installation", "lifecycle_progression_rules", "lists", "providers",
    "score_thresholds", "scoring_rules", "scoring_rulesets", "segments", "tags", "template_versions", "templates",
    "version_watches", "workflow_triggers", "workflow_versions", "workflows",
}  # fmt: skip
# written with every event, message or step, and without the column
WANTING = {
    "addresses": "an address is not a contact's alone: divided by `key_hash`, apart from the others",
    "event_keys": "its key is the producer's, whoever the contact is: divided by it, apart from the others",
    "message_feedback": "needs the contact of its message",
    "parked_reports": "divided by `dedup_hash`",
    "pending_events": "needs the contact of its event",
    "processed_triggers": "the same keys: divided as `event_keys`",
    "suppressions": "goes with its address",
}
GENERATED = {("id",), ("public_id",)}  # a sequence, a random UUID: nobody else ever has the same

UNIQUE = """
SELECT c.relname, i.relname, x.indisprimary, x.indexprs IS NOT NULL,
       array(SELECT a.attname::text FROM unnest(x.indkey) WITH ORDINALITY AS k(number, place)
              JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number ORDER BY k.place)
  FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
 WHERE x.indisunique AND c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
 ORDER BY c.relname, i.relname
"""
KEYS = """
SELECT c.relname, a.attname, r.relname, b.attname
  FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class r ON r.oid = k.confrelid
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.conkey[1]
  JOIN pg_attribute b ON b.attrelid = r.oid AND b.attnum = k.confkey[1]
 WHERE k.contype = 'f' AND c.relnamespace = 'public'::regnamespace AND NOT c.relispartition
 ORDER BY c.relname, a.attname
"""
TRIGGERS = """
SELECT c.relname, t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
 WHERE NOT t.tgisinternal AND c.relnamespace = 'public'::regnamespace AND NOT c.relispartition
 ORDER BY c.relname, t.tgname
"""
TABLES = """
SELECT c.relname, EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = %s)
  FROM pg_class c
 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
 ORDER BY c.relname
"""


@dataclass(frozen=True)
class Unique:
    table: str
    name: str
    primary: bool
    computed: bool
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Schema:
    """`tables`: by name, whether it says a contact. `keys`: (table, column, table that it refers to, its column)."""

    tables: dict[str, bool]
    uniques: Sequence[Unique]
    keys: Sequence[tuple[str, str, str, str]]
    triggers: Sequence[tuple[str, str]]


@dataclass
class Loss:
    """What a divided table could not declare."""

    table: str
    promises: list[str] = field(default_factory=list)
    generated: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    triggers: list[str] = field(default_factory=list)


def read(cursor: Any) -> Schema:
    """Of the database that this cursor reads."""
    cursor.execute(TABLES, [COLUMN])
    tables = dict(cursor.fetchall())
    cursor.execute(UNIQUE)
    uniques = [Unique(*row[:4], tuple(row[4])) for row in cursor.fetchall()]
    cursor.execute(KEYS)
    keys = cursor.fetchall()
    cursor.execute(TRIGGERS)
    return Schema(tables, uniques, keys, cursor.fetchall())


def divided(schema: Schema) -> dict[str, str]:
    """The column by which each table would be divided."""
    return {**DIVIDED, **{table: COLUMN for table, says_contact in schema.tables.items() if says_contact}}


def losses(schema: Schema) -> dict[str, Loss]:
    by = divided(schema)
    found = {table: Loss(table) for table in by}
    for unique in schema.uniques:
        if unique.table in by and (unique.computed or by[unique.table] not in unique.columns):
            loss = found[unique.table]
            (loss.generated if unique.columns in GENERATED else loss.promises).append(unique.name)
    for table, column, other, others_column in schema.keys:
        if table in by and not _may_refer(by, table, column, other, others_column):
            found[table].keys.append(f"{column} → {other}")
    for table, name in schema.triggers:
        if table in by:
            found[table].triggers.append(name)
    return found


def _may_refer(by: dict[str, str], table: str, column: str, other: str, others_column: str) -> bool:
    return other in REFERENCE or (by.get(other) == others_column and by[table] == column)


def text(schema: Schema) -> str:
    found = losses(schema)
    whole = sorted(table for table, loss in found.items() if not (loss.promises or loss.keys or loss.triggers))
    rows = [
        [f"`{table}`", _named(loss.promises), _named(loss.keys), "yes" if loss.triggers else ""]
        for table, loss in sorted(found.items())
        if table not in whole
    ]
    rest = schema.tables.keys() - found.keys() - REFERENCE - WANTING.keys()
    head = ["divided by contact", "unique in one machine only", "foreign keys to give up", "triggers"]
    parts = [
        f"{len(found)} of {len(schema.tables)} tables say a contact and would be divided by it; {len(REFERENCE)} would "
        f"be reference tables; {len(WANTING)} are written all the time and do not say one; {len(rest)} stay on the "
        "coordinator.\n",
        summary.markdown(head, rows) + "\n",
        f"Nothing but their generated `id` and `public_id` would lose its constraint in {len(whole)}: "
        f"{_named(whole)}.\n",
        "Reference tables: " + _named(sorted(REFERENCE)) + ".\n",
        "Without a contact, and written all the time:\n",
        *[f"- `{table}`: {what}" for table, what in sorted(WANTING.items())],
    ]
    upwards = [f"{table}.{column}" for table, column, other, _ in schema.keys if other in found and table not in found]
    if upwards:
        parts.append(f"\nForeign keys of the others that would lead to a divided table: {_named(upwards)}.")
    triggers = sorted({table for table, _ in schema.triggers if table in REFERENCE})
    if triggers:
        parts.append(f"\nReference tables with triggers of ours, which Citus refuses as well: {_named(triggers)}.")
    return "\n".join(parts) + "\n"


def _named(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
