"""The variants that the enrolments of messages had taken before the messages were made."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import connection

from delivery.signals import FeedbackNote, MessageOutcome
from workflows import variants, versions

# The step that made a message, in the journal of its enrolment: the key of a message of a journey is
# enrolment:<id>:<seq>. Other messages have no enrolment.
MADE_BY = (
    "CASE WHEN m.idempotency_key ~ '^enrolment:[0-9]+:[0-9]+$' THEN split_part(m.idempotency_key, ':', 3)::int END"
)


def of_messages(news: Iterable[MessageOutcome | FeedbackNote]) -> dict[int, tuple[str, ...]]:
    """By message, the names of what was taken. One statement, or none where no version has an experiment."""
    known = {each.message_id: each.version_id for each in news if each.version_id}
    splitting = versions.splitting(known.values())
    asked = [message_id for message_id, version_id in known.items() if version_id in splitting]
    if not asked:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT m.id, j.seq, j.version_id, j.step, j.detail ->> 'variant'
              FROM messages m JOIN workflow_journal j ON j.enrolment_id = m.enrolment_id AND j.seq < {MADE_BY}
             WHERE m.id = ANY(%s) AND j.step_type = 'experiment' AND j.outcome = 'advanced' AND j.detail ? 'variant'
             ORDER BY m.id, j.seq
            """,
            [asked],
        )
        found = variants.named(cursor.fetchall())
    return {message_id: tuple(each.name for each in taken) for message_id, taken in found.items()}
