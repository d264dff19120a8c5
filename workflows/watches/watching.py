"""What the waits and exits of a version watch (`version_watches`): written when it is published, withdrawn when it is
over. A version that nobody watches anything in has no row, and costs nothing."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import connection, transaction

from workflows import awaiting, versions
from workflows.models import Watch, Workflow, WorkflowVersion
from workflows.watches import exit_sweeping

OF_EXITS = ""  # stands where a step would
# Who was taken in by a transaction that still saw the version live has long been there to be seen.
LINGER = timedelta(hours=1)
AT_ONCE = 20

_OVER = """
    SELECT v.id, v.workflow_id FROM workflow_versions v JOIN workflows w ON w.id = v.workflow_id
     WHERE v.id IN (SELECT version_id FROM version_watches)
       AND (EXISTS (SELECT FROM workflow_versions later
                     WHERE later.workflow_id = v.workflow_id AND later.number > v.number AND later.published_at < %s)
            OR (w.status = 'archived' AND w.updated_at < %s))
       AND (w.status = 'archived' OR w.live_version_id <> v.id)
       AND NOT EXISTS (SELECT FROM entry_runs r WHERE r.version_id = v.id AND r.state = 'running')
       AND NOT EXISTS (SELECT FROM workflow_enrolments e
                        WHERE e.workflow_id = v.workflow_id AND e.version_id = v.id
                          AND e.state IN ('pending', 'active', 'waiting'))
     ORDER BY v.workflow_id, v.id LIMIT %s
"""


def watch(version: WorkflowVersion, *, now: datetime) -> None:
    """Write down what this version watches, in the transaction that publishes it, before `awaiting.declare`. The same
    again changes nothing."""
    compiled = versions.compile_version(version)
    rows = [
        Watch(version=version, step=key, about=about)
        for key, step in compiled.steps.items()
        for about in sorted(step.watches)
    ]
    abouts = frozenset(about for rule in compiled.exits for about in rule.abouts)
    rows += [Watch(version=version, step=OF_EXITS, about=about) for about in sorted(abouts)]
    Watch.objects.bulk_create(rows, ignore_conflicts=True)
    if any(rule.moves_with_time for rule in compiled.exits):
        exit_sweeping.begin(version.pk, now=now)


def tidy(*, now: datetime) -> bool:
    """Withdraw the watches of versions that are not live any more and that nobody is under way in, a few at a time.
    Whether there may be more."""
    with transaction.atomic():
        found = _over(now)
        for workflow_id in sorted(set(found.values())):
            Workflow.objects.select_for_update(no_key=True).get(pk=workflow_id)
        gone = sorted(found.keys() & _over(now).keys())  # under the locks, once more
        exit_sweeping.end(gone)
        Watch.objects.filter(version_id__in=gone).delete()
        for workflow_id in sorted({found[version_id] for version_id in gone}):
            awaiting.declare(workflow_id)
    return len(gone) == AT_ONCE


def _over(now: datetime) -> dict[int, int]:
    """Version id -> workflow id."""
    with connection.cursor() as cursor:
        cursor.execute(_OVER, [now - LINGER, now - LINGER, AT_ONCE])
        return dict(cursor.fetchall())
