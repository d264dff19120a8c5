"""Rulesets as they are stored: the active ones, or any version, each read with its rules and parts."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from django.db import connection

from scoring.rulesets.parsing import parse_ruleset
from scoring.rulesets.rules import Part, Ruleset

_COLUMNS = """
    s.id, s.name, s.version, s.activated_at,
    jsonb_build_object('name', s.name, 'title', s.title, 'mql_threshold', s.mql_threshold, 'cap', s.cap,
        'groups', s.groups, 'parts', s.parts, 'hysteresis', s.hysteresis, 'rearm_after', s.rearm_after,
        'on_activation', s.on_activation,
        'rules', (SELECT COALESCE(jsonb_agg(jsonb_build_object(
            'name', r.name, 'signal', r.signal, 'points', r.points, 'decay', r.decay, 'cap', r.cap,
            'group', r."group", 'repeat', r.repeat, 'human_only', r.human_only) ORDER BY r.id), '[]')
            FROM scoring_rules r WHERE r.ruleset_id = s.id))
"""
_ACTIVE = f"SELECT {_COLUMNS} FROM scoring_rulesets s WHERE s.state = 'active' ORDER BY s.name"
_SOME = f"SELECT {_COLUMNS} FROM scoring_rulesets s WHERE s.id = ANY(%s) ORDER BY s.name, s.id"
_ONE = f"SELECT {_COLUMNS} FROM scoring_rulesets s WHERE s.state = 'active' OR s.id = %s ORDER BY s.name"


def active_rulesets() -> tuple[Ruleset, ...]:
    """The active version of every named score, by name. One statement."""
    found = _read(_ACTIVE)
    by_name = {ruleset.name: ruleset for ruleset in found}
    return tuple(with_parts(ruleset, by_name) for ruleset in found)


def active_ruleset(name: str) -> Ruleset | None:
    """The active version of one score; None if it has none yet."""
    return next((ruleset for ruleset in active_rulesets() if ruleset.name == name), None)


def names() -> tuple[str, ...]:
    """The scores that have, or had, an active version: a name does not go away again. One statement."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT name FROM scoring_rulesets WHERE state <> 'draft' ORDER BY name")
        return tuple(name for (name,) in cursor.fetchall())


def version(ruleset_id: int) -> Ruleset:
    """Any version, draft or not, with the parts that are active now. One statement. Raises LookupError."""
    found = _read(_ONE, ruleset_id)
    wanted = next((ruleset for ruleset in found if ruleset.ruleset_id == ruleset_id), None)
    if wanted is None:
        raise LookupError(f"no ruleset {ruleset_id}")
    return with_parts(wanted, {ruleset.name: ruleset for ruleset in found if ruleset.ruleset_id != ruleset_id})


def versions(ruleset_ids: Collection[int]) -> Mapping[int, Ruleset]:
    """These versions by their ids, each without its parts: which of them count is for the caller to say. One
    statement."""
    return {ruleset.ruleset_id: ruleset for ruleset in _read(_SOME, sorted(ruleset_ids))}


def combined(ruleset: Ruleset) -> Ruleset:
    """Rules that are not stored, with the parts that are active now. One statement, or none."""
    if not ruleset.settings.weights:
        return ruleset
    return with_parts(ruleset, {each.name: each for each in _read(_ACTIVE)})


def with_parts(ruleset: Ruleset, by_name: Mapping[str, Ruleset]) -> Ruleset:
    """A ruleset with those of its parts that are named here. A part without an active version adds nothing yet."""
    weights = ruleset.settings.weights
    return replace(
        ruleset,
        parts=tuple(Part(name, weight, by_name[name]) for name, weight in sorted(weights.items()) if name in by_name),
    )


def _read(statement: str, *params: Any) -> list[Ruleset]:
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        rows = cursor.fetchall()
    rulesets = []
    for ruleset_id, name, number, activated_at, document in rows:
        # Django leaves jsonb as text when a cursor is used directly
        written = parse_ruleset(json.loads(document) if isinstance(document, str) else document)
        rulesets.append(
            Ruleset(
                ruleset_id=ruleset_id,
                name=name,
                version=number,
                mql_threshold=written.settings.mql_threshold,
                rules=written.rules,
                settings=written.settings,
                activated_at=activated_at,
            )
        )
    return rulesets
