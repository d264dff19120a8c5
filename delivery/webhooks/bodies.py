"""Bodies of webhooks after they were read: whom they are about, so that they can be emptied when somebody is erased
without reading all the others."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

# A body is about the messages that it names; where it also says something of no message of ours, whom it is about is
# found by looking for the address in it.
_FOLDED = """
    WITH named AS (
        SELECT n.id, array_agg(DISTINCT m.id) FILTER (WHERE m.id IS NOT NULL) AS message_ids,
               bool_or(m.id IS NULL) AS names_others
          FROM unnest(%s::bigint[], %s::uuid[]) AS n (id, mid) LEFT JOIN messages m ON m.public_id = n.mid GROUP BY 1)
    UPDATE webhook_inbox w
       SET folded_at = %s, error = r.error, message_ids = COALESCE(named.message_ids, '{}'),
           names_others = r.names_others OR COALESCE(named.names_others, false)
      FROM unnest(%s::bigint[], %s::text[], %s::boolean[]) AS r (id, error, names_others)
      LEFT JOIN named ON named.id = r.id
     WHERE w.id = r.id
"""
_EMPTY_NAMED = """
    UPDATE webhook_inbox SET body = '', error = ''
     WHERE body <> '' AND folded_at IS NOT NULL
       AND message_ids && (SELECT COALESCE(array_agg(id), '{}') FROM messages WHERE contact_id = ANY(%s))
"""
_EMPTY_FOUND = """
    UPDATE webhook_inbox SET body = '', error = ''
     WHERE names_others AND folded_at IS NOT NULL AND encode(body, 'escape') ~* %s
"""
_FORGET_PARKED = """
    DELETE FROM parked_reports WHERE encode(convert_to(report::text, 'UTF8'), 'escape') ~* %s
"""


@dataclass(frozen=True)
class Folded:
    """What was read of a body: the public ids of messages that it names, what could not be read (`error`), and whether
    it says something that names no message."""

    mids: Collection[str]
    error: str
    names_others: bool


def mark_folded(folded: Mapping[int, Folded], *, now: datetime) -> None:
    """By the id of the stored body, in the transaction that folds them. One statement."""
    pairs = [(id, mid) for id, body in folded.items() for mid in sorted(set(body.mids))]
    with connection.cursor() as cursor:
        cursor.execute(
            _FOLDED,
            [
                [id for id, _ in pairs],
                [mid for _, mid in pairs],
                now,
                list(folded),
                [body.error for body in folded.values()],
                [body.names_others or bool(body.error) for body in folded.values()],
            ],
        )


def empty(contact_ids: Collection[int], addresses: Collection[str]) -> None:
    """Empty the bodies that are about these contacts or name these addresses, in the caller's transaction: what they
    told stands in the feedback. Those that were not folded yet go with retention."""
    with connection.cursor() as cursor:
        cursor.execute(_EMPTY_NAMED, [list(contact_ids)])
        if addresses:
            pattern = _pattern({each for address in addresses for each in _spellings(address)})
            cursor.execute(_EMPTY_FOUND, [pattern])
            cursor.execute(_FORGET_PARKED, [pattern])


def _pattern(spellings: Collection[str]) -> str:
    """Any of these, and not as a piece of a longer address."""
    found = "|".join(re.escape(spelling) for spelling in sorted(spellings))
    return rf"(^|[^[:alnum:]._+-])({found})(?![[:alnum:]-]|\.[[:alnum:]])"


def _spellings(address: str) -> set[str]:
    """As PostgreSQL's `escape` shows the bytes of an address: in UTF-8, as JSON writes it, and in a URL."""
    in_bytes = "".join(chr(byte) if byte < 128 else f"\\{byte:03o}" for byte in address.encode())
    in_json = json.dumps(address)[1:-1]
    return {in_bytes, in_json.replace("\\", "\\\\"), in_bytes.replace("@", "%40")}
