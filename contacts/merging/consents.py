"""The strictest consent wins: what a merged person agreed to is what neither profile had taken back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from contacts import consent
from contacts.consent import ALL_TOPICS, DENIED, GRANTED, Consent
from contacts.guarded import guarded_path
from contacts.signals import Merged

SOURCE = "merge"
_LATER = 2**63

Topic = tuple[str, str]  # category, topic


@dataclass(frozen=True)
class Word:
    """The last word on a topic; a larger id was said later."""

    id: int
    state: str


Words = Mapping[Topic, Word]


def standing(words: Words, topic: Topic) -> str | None:
    """granted or denied, as `consent.marketing_denied` reads it; None: nothing was said. Pure."""
    whole = words.get((topic[0], ALL_TOPICS))
    own = words.get(topic)
    if whole and whole.state == DENIED and (own is None or own.id < whole.id):
        return DENIED
    found = own or whole
    return found.state if found else None


def strictest(one: Words, other: Words, topic: Topic) -> str | None:
    """Pure."""
    states = {standing(one, topic), standing(other, topic)}
    return DENIED if DENIED in states else GRANTED if GRANTED in states else None


def corrections(one: Words, other: Words) -> list[tuple[Topic, str]]:
    """What has to be said once more, and in which order, when the words of both are one contact's. Pure."""
    together = {
        topic: max((words[topic] for words in (one, other) if topic in words), key=lambda word: word.id)
        for topic in one.keys() | other.keys()
    }
    said: list[tuple[Topic, str]] = []
    for topic in sorted(together):  # all of marketing before its topics
        wanted = strictest(one, other, topic)
        # a refusal of the topic itself counts beside a grant of the channel, so no other reason may stand in for it
        refused = any(topic in words and words[topic].state == DENIED for words in (one, other))
        holds = standing(together, topic) == wanted and (not refused or together[topic].state == DENIED)
        if wanted is not None and not holds:
            said.append((topic, wanted))
            together[topic] = Word(_LATER + len(said), wanted)
    return said


def last_words(contact_ids: Sequence[int]) -> dict[int, dict[Topic, Word]]:
    """Contact id -> its words. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT DISTINCT ON (contact_id, category, topic) contact_id, category, topic, id, state
              FROM consent_records WHERE contact_id = ANY(%s) ORDER BY contact_id, category, topic, id DESC
            """,
            [list(contact_ids)],
        )
        words: dict[int, dict[Topic, Word]] = {contact_id: {} for contact_id in contact_ids}
        for contact_id, category, topic, *word in cursor.fetchall():
            words[contact_id][category, topic] = Word(*word)
        return words


def tighten(merges: Sequence[Merged], words: Mapping[int, Words], *, now: datetime) -> None:
    """After the rows have moved: say what the strictest of both profiles (`words`, read before) said."""
    consent.record(
        [
            Consent(each.survivor_id, category, state, topic, {"merge": each.merge_id})
            for each in merges
            for (category, topic), state in corrections(words[each.survivor_id], words[each.absorbed_id])
        ],
        source=SOURCE,
        now=now,
    )


def loosen(merge: Merged) -> None:
    """When the merge is undone: what it said, and nobody else, is not said any more. It was never anybody's own word,
    and could only forbid, so no message was sent because of it."""
    with guarded_path(), connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM consent_records WHERE contact_id = %s AND source = %s AND evidence @> %s::jsonb",
            [merge.survivor_id, SOURCE, json.dumps({"merge": merge.merge_id})],
        )
