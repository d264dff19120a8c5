"""`watch_checks`: of whom something changed that a wait or an exit watches. Written in the transaction of what
happened, so whoever finds a row after its commit sees what happened, too."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from django.db import connection

from contacts import doorbell, freezing
from contacts.audiences.definitions import EVERYTHING
from contacts.conditions.reading import ANY_EVENT, about_event, about_segment

BELL = "workflows.look_again"
LANES = ("urgent", "bulk")
NEW = "new"  # what `contacts_changed` calls contacts who came to be in this transaction
SEGMENT = "segment"  # what `contacts_changed` calls the news of any segment
ANY_SEGMENT = about_segment("%")

# Who is under way is asked for here, since intake's snapshot is younger than the commit of every event that it took: an
# enrolment that it does not see begins after the event was there to be found, and looks for itself. An event from a
# clock that goes ahead ends event waits and exits at once; conditions count it from its own time on.
_AFTER_EVENTS = """
    INSERT INTO watch_checks (contact_id, lane, due_at)
    SELECT DISTINCT e.contact_id, %s, due.at
      FROM unnest(%s::bigint[], %s::text[], %s::timestamptz[]) AS e(contact_id, about, occurred_at)
     CROSS JOIN LATERAL (SELECT %s::timestamptz AS at
                         UNION SELECT e.occurred_at WHERE e.occurred_at > %s) AS due
     WHERE EXISTS (SELECT FROM workflow_enrolments n JOIN version_watches w ON w.version_id = n.version_id
                    WHERE n.contact_id = e.contact_id AND n.state IN ('pending', 'active', 'waiting')
                      AND w.about IN (e.about, %s))
     ORDER BY e.contact_id
"""
# Who is under way is not asked for: somebody may be entering at this moment, and have looked before this commits.
_AFTER_CHANGES = """
    INSERT INTO watch_checks (contact_id, lane, due_at)
    SELECT DISTINCT changed.id, %s, %s::timestamptz FROM unnest(%s::bigint[]) AS changed(id)
     WHERE EXISTS (SELECT FROM version_watches w WHERE w.about = ANY(%s) OR (%s AND w.about LIKE %s) OR %s)
     ORDER BY changed.id
"""


def after_events(events: Sequence[tuple[int, str, datetime]], *, lane: str, now: datetime) -> None:
    """Ask for a look at those of these contacts who are under way in a version that watches such an event: (contact id,
    type, when it occurred), each recorded and committed before. One statement, or none."""
    if not events:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            _AFTER_EVENTS,
            [
                lane,
                [contact_id for contact_id, _, _ in events],
                [about_event(event_type) for _, event_type, _ in events],
                [occurred_at for _, _, occurred_at in events],
                now,
                now,
                ANY_EVENT,
            ],
        )
        asked = cursor.rowcount
    if asked:
        doorbell.ring_on_commit(BELL, lane)


def after_changes(contact_ids: Collection[int], kinds: Collection[str], *, lane: str, now: datetime) -> None:
    """Ask for a look at these contacts, if any version watches such a change, in the transaction that made it.

    `kinds`: of `contacts_changed`, or words of `contacts.conditions.reading`; EVERYTHING alone is a new contact, and so
    are NEW ones, who are under way nowhere. One statement, or none."""
    watched = sorted(set(kinds) - {EVERYTHING})
    if watched and NEW not in kinds:
        _ask(contact_ids, watched, lane=lane, now=now)


def after_merges(contact_ids: Collection[int], *, now: datetime) -> None:
    """Whatever is watched may have become true of contacts whose history is another one now. One statement."""
    _ask(contact_ids, [EVERYTHING], lane="urgent", now=now)


def _ask(contact_ids: Collection[int], abouts: list[str], *, lane: str, now: datetime) -> None:
    if not contact_ids:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            _AFTER_CHANGES,
            [
                lane,
                now,
                sorted(set(contact_ids)),
                abouts,
                SEGMENT in abouts,
                ANY_SEGMENT,
                EVERYTHING in abouts,
            ],
        )
        asked = cursor.rowcount
    if asked:
        doorbell.ring_on_commit(BELL, lane)


def ask(contacts_of_lanes: Mapping[str, Collection[int]], *, now: datetime) -> None:
    """Have these contacts looked at, lane by lane. One statement a lane."""
    for lane, contact_ids in sorted(contacts_of_lanes.items()):
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO watch_checks (contact_id, lane, due_at) SELECT id, %s, %s FROM unnest(%s::bigint[]) AS id",
                [lane, now, sorted(set(contact_ids))],
            )
        doorbell.ring_on_commit(BELL, lane)


def claim(*, lane: str, now: datetime, limit: int) -> list[int]:
    """Take up to `limit` checks off a lane's queue, in the caller's transaction: the contacts, each once. Nothing here
    waits for a lock, and rows that another transaction took are its own."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            DELETE FROM watch_checks WHERE id = ANY(ARRAY(
                SELECT id FROM watch_checks WHERE lane = %s AND due_at <= %s AND {freezing.THAWED}
                 ORDER BY due_at, id LIMIT %s FOR UPDATE SKIP LOCKED))
            RETURNING contact_id
            """,
            [lane, now, limit],
        )
        return sorted({contact_id for (contact_id,) in cursor.fetchall()})


def due_lanes(*, now: datetime) -> list[str]:
    """The lanes in which a check is due."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT lane FROM unnest(%s::text[]) AS l(lane) "
            f"WHERE EXISTS (SELECT FROM watch_checks k WHERE k.lane = l.lane AND k.due_at <= %s) AND {freezing.THAWED}",
            [list(LANES), now],
        )
        return [lane for (lane,) in cursor.fetchall()]
