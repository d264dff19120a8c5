"""Who names a list, a segment or a tag: nothing is taken away that somebody's work asks about.

Segments are asked here; floors above register what of theirs may name one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from django.db import connection

from contacts.faults import Fault

Kind = Literal["list", "segment", "tag"]
Asker = Callable[[Kind, str], list[str]]

_NODES = {"list": "in_list", "segment": "in_segment", "tag": "has_tag"}
_askers: list[Asker] = []


def register(asker: Asker) -> None:
    """Called once per floor from `AppConfig.ready()`. `asker(kind, name)` gives what of its own names the list or
    segment of this slug, or the tag of this name, in words such as `journey “Welcome”`. One statement."""
    _askers.append(asker)


def faults(kind: Kind, name: str, *, loc: str) -> list[Fault]:
    """One (`in_use`) while anything names it."""
    found = [*_segments(kind, name), *(each for ask in _askers for each in ask(kind, name))]
    return [Fault("in_use", f"is named by {', '.join(found)}", (loc,))] if found else []


def in_conditions(kind: Kind) -> str:
    """The SQL/JSON path that finds the name $name in the conditions of a document, wherever they stand."""
    return f"$.**.{_NODES[kind]} ? (@ == $name)"


def _segments(kind: Kind, name: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT slug FROM segments WHERE jsonb_path_exists(condition, %s::jsonpath,"
            " jsonb_build_object('name', %s::text)) ORDER BY slug",
            [in_conditions(kind), name],
        )
        return [f"the segment “{slug}”" for (slug,) in cursor.fetchall()]
