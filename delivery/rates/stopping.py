"""A provider that refuses us, rather than a message, is stopped: nobody's attempt is used up, and its messages go by
another provider or stay queued, until somebody has mended the key or the account and resumes it."""

from __future__ import annotations

import logging
from datetime import datetime

from django.db import connection, transaction

from contacts import audit, authority, doorbell
from delivery import signals
from delivery.outbox import LANES
from delivery.signals import TroubleNote

log = logging.getLogger(__name__)


def stop(name: str, why: str, *, now: datetime) -> None:
    """From now on nothing is handed to this provider. The first reason stays."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO providers (name, stopped_at, stopped_why) VALUES (%s, %s, %s)
                ON CONFLICT (name) DO UPDATE SET stopped_at = EXCLUDED.stopped_at, stopped_why = EXCLUDED.stopped_why
             WHERE providers.stopped_at IS NULL
            """,
            [name, now, why],
        )
        is_news = cursor.rowcount == 1
    if is_news:
        log.error("provider %s refuses us and is stopped until it is resumed", name)
        signals.delivery_trouble.send(
            sender=None, trouble=(TroubleNote("provider_stopped", name, {"said": why}),), now=now
        )


def is_stopped(name: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT 1 FROM providers WHERE name = %s AND stopped_at IS NOT NULL)", [name])
        return cursor.fetchone()[0]


def resume(name: str) -> bool:
    """Use the provider again, at once, also if it rested. Returns whether it was stopped. Raises NotAllowed."""
    authority.require("delivery.change_provider")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT stopped_at IS NOT NULL, stopped_why FROM providers WHERE name = %s FOR UPDATE", [name])
        was_stopped, why = cursor.fetchone() or (False, "")
        before = {"stopped": was_stopped, "why": why}
        audit.note("provider.resumed", of=("provider", name), name=name, before=before, after={"stopped": False})
        cursor.execute(
            "UPDATE providers SET stopped_at = NULL, stopped_why = '', failures = 0, resting_until = NULL"
            " WHERE name = %s",
            [name],
        )
        ring_on_commit()
    return was_stopped


def ring_on_commit() -> None:
    """What was held may go: both lanes are rung."""
    for queue in LANES.values():
        doorbell.ring_on_commit("delivery.deliver", queue)
