"""The topics of marketing as people see them: their names stand in TOPICS, by language where that says so."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from django.conf import settings
from django.db import connection

from contacts.consent import CHANNELS
from delivery.verdicts import ALL

RESERVED = frozenset({ALL, *CHANNELS})  # scopes of suppressions that are no topics
MOST = 50  # on one page
_LOOKED_AT = 500  # of a contact's messages


def declared() -> tuple[str, ...]:
    """The topics of the setting, in its order."""
    names = [name for name in settings.TOPICS if _base(name) == name]
    return tuple(name for name in names if name not in RESERVED)


def of_contact(contact_id: int) -> tuple[str, ...]:
    """Those that are declared; behind them those of the contact's own messages and consents."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT DISTINCT topic FROM (
                SELECT topic FROM (
                    SELECT topic, message_class FROM messages WHERE contact_id = %s ORDER BY id DESC LIMIT %s) latest
                 WHERE message_class = 'marketing'
                 UNION ALL
                SELECT topic FROM consent_records WHERE contact_id = %s AND category = 'marketing') seen
             WHERE topic <> '' ORDER BY topic
            """,
            [contact_id, _LOOKED_AT, contact_id],
        )
        seen = [topic for (topic,) in cursor.fetchall() if topic not in RESERVED]
    return tuple(dict.fromkeys([*declared(), *seen]))[:MOST]


def names(topics: Collection[str], *, language: str) -> Mapping[str, str]:
    """What to call them."""
    known = settings.TOPICS
    return {
        topic: known.get(f"{topic}.{language}") or known.get(topic) or topic.replace("_", " ").replace("-", " ").strip()
        for topic in topics
    }


def _base(name: str) -> str:
    """`newsletter` of `newsletter.de`, where newsletter is a topic itself."""
    topic, dot, _ = name.rpartition(".")
    return topic if dot and topic in settings.TOPICS else name
