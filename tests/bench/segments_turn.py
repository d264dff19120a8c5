"""The changes of the segments' bench, in a process of its own: `python -m tests.bench.segments_turn DEED FIRST COUNT
PEOPLE`. It says `ready`, begins at a line on its input, prints its figures as JSON and says `done`.

DEED: make (the segments) · events (COUNT of them, a hundred at a time, bulk lane) · unheard (the same, where no segment
hears of them, then a full rebuild by the peer) · latency (COUNT events, one after another: how long until the contact
is a member)."""

from __future__ import annotations

import json
import os
import random
import sys
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from tests.bench import audience
from tests.bench.turn import DONE, GO, READY

BATCH = 100
PATIENCE = 30.0


def main() -> None:
    deed, first, count, people = sys.argv[1], *map(int, sys.argv[2:5])
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django

    django.setup()
    from django.db import connection

    connection.ensure_connection()
    deeds: dict[str, Callable[[int, int, int], Any]] = {
        "make": make,
        "events": record,
        "unheard": rebuild,
        "latency": latency,
    }
    print(READY, flush=True)
    if sys.stdin.readline().strip() == GO:
        print(json.dumps(deeds[deed](first, count, people)))
        print(DONE, flush=True)
        sys.stdin.readline()  # stays until its cost was read


def make(first: int, count: int, people: int) -> None:
    from contacts import transactions
    from contacts.audiences import segments

    for slug, condition in audience.SEGMENTS.items():

        def create(now: datetime, slug: str = slug, condition: object = condition) -> None:
            segments.create(slug=slug, name=slug, condition=condition, now=now)

        transactions.run(create)


def record(first: int, count: int, people: int) -> None:
    """The same changes for the same FIRST."""
    chance = random.Random(first)
    happened = [
        (
            chance.randint(1, people),
            chance.choice(audience.KINDS),
            {"total": chance.randint(0, 300)},
            f"{first}-{number}",
        )
        for number in range(count)
    ]
    for start in range(0, count, BATCH):
        _record(happened[start : start + BATCH], lane="bulk")


def rebuild(first: int, count: int, people: int) -> None:
    from contacts.signals import contacts_changed, events_recorded
    from tests.bench.peers.full_rebuild import rebuilding

    for signal, told in ((events_recorded, "events"), (contacts_changed, "changes")):
        assert signal.disconnect(dispatch_uid=f"segments ask for checks after {told}")
    record(first, count, people)
    rebuilding.rebuild_all()


def latency(first: int, count: int, people: int) -> list[float]:
    """Seconds from the commit of an event to that of the membership, of contacts who were not in `big-buyers`."""
    from django.db import connection

    inside = (
        "SELECT EXISTS (SELECT FROM segment_members m WHERE m.contact_id = %s AND segment_id = "
        "(SELECT id FROM segments WHERE slug = 'big-buyers'))"
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.id FROM contacts c WHERE NOT EXISTS (SELECT FROM segment_members m JOIN segments s "
            "ON s.id = m.segment_id WHERE m.contact_id = c.id AND s.slug = 'big-buyers') "
            "AND c.id > %s ORDER BY c.id LIMIT %s",
            [first % people // 2, count],
        )
        strangers = [contact_id for (contact_id,) in cursor.fetchall()]
        seconds = []
        for number, contact_id in enumerate(strangers):
            _record([(contact_id, "bought", {"total": 290}, f"latency-{first}-{number}")], lane="urgent")
            committed = time.monotonic()
            while True:
                cursor.execute(inside, [contact_id])
                if cursor.fetchone()[0]:
                    break
                assert time.monotonic() - committed < PATIENCE, "an event changed no membership"
                time.sleep(0.002)
            seconds.append(time.monotonic() - committed)
    return seconds


def _record(happened: Sequence[tuple[int, str, dict[str, Any], str]], *, lane: str) -> None:
    from contacts import events, transactions
    from contacts.events import NewEvent

    batch = [NewEvent(kind, None, who, properties, {}, key=key) for who, kind, properties, key in happened]
    transactions.run(lambda now: events.record_batch(batch, source="api", now=now, lane=lane))


if __name__ == "__main__":
    main()
