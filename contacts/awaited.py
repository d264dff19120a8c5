"""Which types of events somebody waits for. Only those are queued (`pending_events`); all others are stored, and that
is all that an event costs which starts nothing.

Any floor may declare; what is queued is what any owner awaits. An event is queued if its type was declared by a
transaction that had committed when the event's own statement began: whoever is told that a workflow is published, and
then sends an event, has it queued. An event that was recorded before came before, and waits for nobody.

An owner may await too much (it costs a row of the queue, which whoever takes it finds unneeded), never too little:
declare together with what makes the waiting true, and withdraw only together with what ends it."""

from __future__ import annotations

from collections.abc import Collection

from django.db import connection

EVERY = "*"  # declared by who waits for whatever happens


def declare(owner: str, event_types: Collection[str]) -> None:
    """From the commit of the caller's transaction on, events of exactly these types are queued for this owner; none
    withdraws the owner. Other owners' types are not touched. The same again changes nothing.

    `owner`: a kind and an id, such as "workflow:12": whatever begins and ends to wait as one. The caller holds what
    keeps two of its transactions from declaring for one owner at once (the row of the workflow); without that, the
    types of both may stay. Two statements."""
    assert connection.in_atomic_block, "declare needs the caller's transaction"
    wanted = sorted(set(event_types))
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO awaited_events (owner, event_type) SELECT %s, event_type FROM unnest(%s::text[]) AS event_type"
            " ON CONFLICT ON CONSTRAINT an_owner_awaits_a_type_once DO NOTHING",
            [owner, wanted],
        )
        cursor.execute("DELETE FROM awaited_events WHERE owner = %s AND event_type <> ALL(%s::text[])", [owner, wanted])


def declared(prefix: str) -> dict[str, frozenset[str]]:
    """Owner -> the types that it awaits, of the owners whose name begins so ("workflow:"): for whoever compares what is
    declared with what is true."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT owner, array_agg(event_type) FROM awaited_events WHERE starts_with(owner, %s) GROUP BY owner",
            [prefix],
        )
        return {owner: frozenset(types) for owner, types in cursor.fetchall()}
