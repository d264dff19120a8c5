"""Journeys that lead into others (the step `enter_workflow`): the one named must be there, and must not be this one.
Those that lead back here by way of others are told of by `circles`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from django.db import connection

from workflows.definition.problems import Problem

FIELD = "config.workflow"


def problems(slug: str, named: Mapping[str, Sequence[str]]) -> Iterator[Problem]:
    """`named`: the slug of another journey -> the steps that lead there. One statement, or none."""
    if not named:
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT slug FROM workflows WHERE slug = ANY(%s)", [sorted(named)])
        known = {found for (found,) in cursor.fetchall()}
    for target, steps in sorted(named.items()):
        for step in steps:
            if target == slug:
                yield Problem(step, FIELD, "cycle", "a journey cannot lead into itself")
            elif target not in known:
                yield Problem(step, FIELD, "ref_missing", f"there is no journey {target!r}")
