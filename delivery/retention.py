"""What the post office does not keep for ever: bodies of webhooks, the log of calls to endpoints, and what messages and
the send log repeat of people.

A batch at a time. Which messages were sent, when, and what became of them is kept, and so are all suppressions."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import connection

from contacts import durations, place, transactions
from contacts.guarded import guarded_path
from delivery.webhooks import parking, tokens

BATCH = 1000
_WALK = "retention of messages"


def prune_batch() -> bool:
    """Returns whether there may be more to do."""
    bodies = transactions.run(_prune_webhooks)
    messages = transactions.run(_blank_messages)
    notices = transactions.run(_prune_notices)
    tokens_too = transactions.run(tokens.prune_batch)
    parked = transactions.run(parking.prune_batch)
    posts = transactions.run(_prune_posts)
    return bodies or messages or notices or tokens_too or parked or posts


def _prune_webhooks(now: datetime) -> bool:
    if not settings.WEBHOOK_RETENTION:
        return False
    with connection.cursor() as cursor:
        cursor.execute(
            """
            DELETE FROM webhook_inbox WHERE id IN (
                SELECT id FROM webhook_inbox WHERE folded_at < %s ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED)
            """,
            [now - durations.window(settings.WEBHOOK_RETENTION, speed=1.0), BATCH],
        )
        return cursor.rowcount == BATCH


def _prune_posts(now: datetime) -> bool:
    """Whatever their state: what a disabled endpoint was to be told so long ago is told no more."""
    if not settings.WEBHOOK_DELIVERY_RETENTION:
        return False
    with connection.cursor() as cursor:
        cursor.execute(
            """
            DELETE FROM webhook_deliveries WHERE id IN (
                SELECT id FROM webhook_deliveries WHERE created_at < %(before)s AND id <= (
                       SELECT max(id) FROM (SELECT id FROM webhook_deliveries ORDER BY id LIMIT %(batch)s) AS oldest)
                   FOR UPDATE SKIP LOCKED)
            """,
            {
                "before": now - durations.window(settings.WEBHOOK_DELIVERY_RETENTION, speed=1.0),
                "batch": BATCH,
            },
        )
        return cursor.rowcount == BATCH


def _prune_notices(now: datetime) -> bool:
    if not settings.MESSAGE_RETENTION:
        return False
    with connection.cursor() as cursor:
        cursor.execute(
            """
            DELETE FROM staff_notices WHERE id IN (
                SELECT id FROM staff_notices WHERE finished_at < %s ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED)
            """,
            [now - durations.window(settings.MESSAGE_RETENTION, speed=1.0), BATCH],
        )
        return cursor.rowcount == BATCH


def _blank_messages(now: datetime) -> bool:
    """The oldest messages first, by id; what they are about (journey, step, template) is nobody's and stays."""
    if not settings.MESSAGE_RETENTION:
        return False
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT id FROM (SELECT id, created_at FROM messages WHERE id > %s ORDER BY id LIMIT %s) AS oldest
             WHERE created_at < %s AND NOT EXISTS (SELECT FROM outbox WHERE message_id = oldest.id) ORDER BY id
            """,
            [place.reached(_WALK), BATCH, now - durations.window(settings.MESSAGE_RETENTION, speed=1.0)],
        )
        old = [message_id for (message_id,) in cursor.fetchall()]
        if not old:
            return False
        with guarded_path():
            cursor.execute(
                "UPDATE messages SET context = jsonb_strip_nulls(jsonb_build_object('about', context->'about'))"
                " WHERE id = ANY(%s) AND context - 'about' <> '{}'",
                [old],
            )
            cursor.execute(
                "UPDATE contact_send_log SET provider_said = '' WHERE message_id = ANY(%s) AND provider_said <> ''",
                [old],
            )
    place.note(_WALK, old[-1])
    return len(old) == BATCH
