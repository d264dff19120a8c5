"""Journeys that lead into others (the step `enter_workflow`): the one named must be there, must not be this one, and
should not lead back here. One that does is stopped when it runs (`workflows.hops`), so that is a warning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from django.db import connection

from workflows.definition.problems import Problem

FIELD = "config.workflow"


def problems(slug: str, named: Mapping[str, Sequence[str]]) -> Iterator[Problem]:
    """`named`: the slug of another journey -> the steps that lead there. Two statements, or none."""
    if not named:
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT slug FROM workflows WHERE slug = ANY(%s)", [sorted(named)])
        known = {found for (found,) in cursor.fetchall()}
    leading = _leading_to(slug)
    for target, steps in sorted(named.items()):
        for step in steps:
            if target == slug:
                yield Problem(step, FIELD, "cycle", "a journey cannot lead into itself")
            elif target not in known:
                yield Problem(step, FIELD, "ref_missing", f"there is no journey {target!r}")
            elif target in leading:
                message = f"{target!r} leads back here; whoever comes round is not let in a second time"
                yield Problem(step, FIELD, "cycle", message, "warning")


def _leading_to(slug: str) -> set[str]:
    """The journeys that lead to this one, themselves or through others, as they are published now."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT w.slug, s.value -> 'config' ->> 'workflow'
              FROM workflows w JOIN workflow_versions v ON v.id = w.live_version_id
             CROSS JOIN LATERAL jsonb_each(v.definition -> 'steps') AS s
             WHERE w.status IN ('live', 'paused') AND s.value ->> 'type' = 'enter_workflow'
            """
        )
        edges = cursor.fetchall()
    found: set[str] = set()
    todo = {slug}
    while todo:
        target = todo.pop()
        new = {source for source, into in edges if into == target} - found
        found |= new
        todo |= new
    return found
