"""What this floor does not keep for ever: people who are long gone, questions that nobody answered, and what came in
late for those who were erased. In slices, so that it stands in nobody's way; never a consent or a suppression."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection

from contacts import durations, place, transactions
from contacts.models import OptInRequest
from contacts.privacy import erasing

LOOKED_AT = 2000  # contacts in one slice
ERASED_AT_ONCE = 20
ACTOR = "retention"
UNANSWERED = timedelta(days=30)  # after its link ceased to work, a request that nobody confirmed is of no use
_WALK = "retention of contacts"


def keep_batch() -> bool:
    """Returns whether there may be more to do now."""
    transactions.run(lambda now: erasing.wipe_late(now=now))
    transactions.run(_forget_unanswered)
    return bool(settings.CONTACT_RETENTION) and transactions.run(_erase_inactive)


def _forget_unanswered(now: datetime) -> None:
    OptInRequest.objects.filter(confirmed_at=None, expires_at__lt=now - UNANSWERED).delete()


def _erase_inactive(now: datetime) -> bool:
    """The next slice of contacts, in the order of their ids; at the end it begins again at the next call."""
    since = now - durations.window(settings.CONTACT_RETENTION, speed=1.0)
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM contacts WHERE id > %s ORDER BY id LIMIT %s", [place.reached(_WALK), LOOKED_AT])
        slice_ = [row[0] for row in cursor.fetchall()]
        cursor.execute(
            """
            SELECT id FROM contacts c
             WHERE id = ANY(%(slice)s) AND erased_at IS NULL AND merged_into_id IS NULL AND updated_at < %(since)s
               AND NOT EXISTS (
                   SELECT FROM contact_events e
                    WHERE e.contact_id = c.id AND (e.occurred_at >= %(since)s OR e.recorded_at >= %(since)s))
               AND NOT EXISTS (SELECT FROM outbox o WHERE o.contact_id = c.id AND o.state = 'queued')
             ORDER BY id LIMIT %(most)s
            """,
            {"slice": slice_, "since": since, "most": ERASED_AT_ONCE},
        )
        gone = [row[0] for row in cursor.fetchall()]
    for contact_id in gone:
        erasing.erase(contact_id, actor=ACTOR, now=now)
    if len(gone) == ERASED_AT_ONCE:
        place.note(_WALK, gone[-1])
        return True
    place.note(_WALK, slice_[-1] if len(slice_) == LOOKED_AT else 0)
    return len(slice_) == LOOKED_AT
