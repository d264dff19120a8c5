"""Journeys that run and name a list, a segment or a tag: in a condition, in their trigger or in a step; and those that
send a template."""

from __future__ import annotations

from django.db import connection

from contacts.audiences import uses
from contacts.audiences.uses import Kind
from delivery.authoring import removal

_PLACES = ("$.entry.trigger", "$.steps.*.config")


def register() -> None:
    """Called once, when the app is ready."""
    uses.register(_journeys)
    removal.register(_senders)


def _journeys(kind: Kind, name: str) -> list[str]:
    where = [uses.in_conditions(kind), *(f"{place}.{kind} ? (@ == $name)" for place in _PLACES)]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT w.name FROM workflows w JOIN workflow_versions v ON v.id = w.live_version_id
             WHERE w.status IN ('live', 'paused') AND EXISTS (
                   SELECT FROM unnest(%s::text[]) AS place(path)
                    WHERE jsonb_path_exists(v.definition, place.path::jsonpath, jsonb_build_object('name', %s::text)))
             ORDER BY w.name
            """,
            [where, name],
        )
        return [f"the journey “{found}”" for (found,) in cursor.fetchall()]


def _senders(template: str) -> list[str]:
    """By any version that was published: somebody may be under way in an old one."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT w.name FROM workflows w
             WHERE w.status <> 'archived' AND EXISTS (
                   SELECT FROM workflow_versions v WHERE v.workflow_id = w.id
                      AND jsonb_path_exists(v.definition, '$.steps.*.config.template ? (@ == $name)',
                                            jsonb_build_object('name', %s::text)))
             ORDER BY w.name
            """,
            [template],
        )
        return [f"the journey “{found}”" for (found,) in cursor.fetchall()]
