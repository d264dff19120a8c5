"""Journeys that bring about what starts others: a chain of them may lead back to where it began. One that does ends
when it runs (`workflows.entry.hops`, and how often a contact may enter within a day), so that is a warning; it names
the way. Segments and scores are not followed: whether a step moves somebody across one is for the contact to say."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

from workflows.definition.problems import Problem
from workflows.definition.schema import Definition

# What a step brings about: its type -> the kind of trigger that notices it, and the setting of each that must agree.
_BRINGS = {
    "emit_event": ("event", "type", "event"),
    "add_tag": ("tag_added", "tag", "tag"),
    "add_to_list": ("list_joined", "list", "list"),
    "change_lifecycle_stage": ("lifecycle_changed", "to", "to"),
    "enter_workflow": ("enter_workflow", "workflow", ""),
}
_NOTICED_BY = {kind: setting for kind, _, setting in _BRINGS.values()}
_NEVER = "never"

Occasion = tuple[str, str]  # the kind of trigger, and the name of the event, tag, list, stage or journey
Named = tuple[str, Occasion]  # the key of a step, and what it brings about


@dataclass(frozen=True)
class _Journey:
    slug: str
    name: str
    starts_by: frozenset[Occasion]
    brings: Sequence[Named]


def problems(definition: Definition) -> Iterator[Problem]:
    """A warning for each step that may start a chain of live journeys that leads back here. One statement, or none."""
    mine = _journey(
        definition.slug,
        definition.name,
        definition.entry.trigger.model_dump(by_alias=True),
        [(key, step.type, step.config) for key, step in definition.steps.items()],
    )
    if not mine.brings or definition.entry.re_entry.policy == _NEVER:
        return
    journeys = [mine, *_live(besides=definition.slug)]
    starting: dict[Occasion, list[_Journey]] = {}
    for journey in journeys:
        for occasion in journey.starts_by:
            starting.setdefault(occasion, []).append(journey)
    for key, occasion in mine.brings:
        if occasion != ("enter_workflow", mine.slug) and (way := _way_back(mine, occasion, starting)):
            said = " → ".join(each.name for each in (mine, *way))
            message = f"this may go round in a circle: {said}; the chain is ended after some rounds"
            yield Problem(key, f"config.{_setting(occasion[0])}", "cycle", message, "warning")


def _way_back(
    mine: _Journey, occasion: Occasion, starting: Mapping[Occasion, Sequence[_Journey]]
) -> tuple[_Journey, ...]:
    """The shortest chain of journeys that the occasion starts and that ends with `mine`; empty where there is none."""
    todo: deque[tuple[_Journey, ...]] = deque((first,) for first in starting.get(occasion, ()))
    seen = {way[0].slug for way in todo}
    while todo:
        way = todo.popleft()
        if way[-1] is mine:
            return way
        for _, brought in way[-1].brings:
            for after in starting.get(brought, ()):
                if after.slug not in seen:
                    seen.add(after.slug)
                    todo.append((*way, after))
    return ()


def _live(*, besides: str) -> Iterator[_Journey]:
    """The journeys that a contact may enter again, as they are published now."""
    kinds = " || ".join(f'@.type == "{kind}"' for kind in _BRINGS)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT w.slug, w.name, (v.definition -> 'entry' -> 'trigger')::text,
                   jsonb_path_query_array(v.definition, '$.steps.* ? ({kinds})')::text
              FROM workflows w JOIN workflow_versions v ON v.id = w.live_version_id
             WHERE w.status IN ('live', 'paused') AND w.slug <> %s
               AND COALESCE(v.definition #>> '{{entry,re_entry,policy}}', %s) <> %s ORDER BY w.slug
            """,
            [besides, _NEVER, _NEVER],
        )
        rows = cursor.fetchall()
    for slug, name, trigger, steps in rows:
        found = [("", step.get("type"), step.get("config") or {}) for step in json.loads(steps)]
        yield _journey(slug, name, json.loads(trigger), found)


def _journey(
    slug: str, name: str, trigger: Mapping[str, Any], steps: Sequence[tuple[str, Any, Mapping[str, Any]]]
) -> _Journey:
    kind = str(trigger.get("type"))
    starts_by = {("enter_workflow", slug)}
    if setting := _NOTICED_BY.get(kind):
        starts_by.add((kind, str(trigger.get(setting))))
    brings = [
        (key, (_BRINGS[step_type][0], str(config.get(_BRINGS[step_type][1]))))
        for key, step_type, config in steps
        if step_type in _BRINGS
    ]
    return _Journey(slug, name, frozenset(starts_by), brings)


def _setting(kind: str) -> str:
    """Of the step that brings such an occasion about."""
    return next(setting for known, setting, _ in _BRINGS.values() if known == kind)
