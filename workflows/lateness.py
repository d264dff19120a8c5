"""How late waits end: told to the floors above, once a batch."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import connection

from workflows import signals, versions
from workflows.moves import Claimed

LONG = timedelta(seconds=10)  # after which it is asked whether the workflow was paused meanwhile


def tell(lane: str, claimed: Sequence[Claimed], *, now: datetime) -> None:
    """Of these, those that were waiting. What came due during a pause is due since its end. No statement, or one."""
    woken = [(row, row.woke_at) for row in claimed if row.woke_at is not None]
    if not woken:
        return
    since = _resumed({row.version_id for row, woke_at in woken if now - woke_at > LONG})
    late = tuple(
        now - (max(woke_at, since[row.version_id]) if row.version_id in since else woke_at) for row, woke_at in woken
    )
    signals.waits_ended.send(sender=None, lane=lane, late=late, now=now)


def _resumed(version_ids: set[int]) -> dict[int, datetime]:
    """When the workflows of these versions were last changed: a pause ends with a change."""
    if not version_ids:
        return {}
    compiled = versions.load(version_ids)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, updated_at FROM workflows WHERE id = ANY(%s)",
            [sorted({version.workflow_id for version in compiled.values()})],
        )
        changed = dict(cursor.fetchall())
    return {version_id: changed[version.workflow_id] for version_id, version in compiled.items()}
