"""The rules that move people along: those that are built in, those that a company wrote, and how they are changed.

A row whose key is a built-in rule's stands in its place; so the built-in one can be changed, switched off and had back.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.db import connection
from django.utils.text import slugify

from contacts import audit, authority
from contacts.conditions import Problem
from scoring.crossings import thresholds
from scoring.lifecycle.causes import EventHappened, Progression, ScoreReached, parse_progression
from scoring.rulesets.rules import LEAD, BadRules

log = logging.getLogger(__name__)

MOST = 100
CHANGE = "scoring.change_progressionrule"
BUILT_IN: Mapping[str, Progression] = {
    rule.key: rule
    for rule in [
        # only upwards: nobody who is with sales already is moved back by a score
        Progression(
            key="score-reaches-mql",
            name="Score reaches the threshold",
            cause=ScoreReached(LEAD, None),
            from_stages=("", "subscriber", "lead"),
            to_stage="mql",
            written={"score": LEAD, "threshold": None},
        )
    ]
}

_COLUMNS = """
    jsonb_build_object('key', key, 'name', name, 'cause', cause, 'from_stages', from_stages, 'to_stage', to_stage,
                       'is_active', is_active, 'position', position)::text, key, changed_by
"""


def every() -> tuple[Progression, ...]:
    """All rules in their order, also those that are switched off. One statement."""
    return _with_built_in(_read(f"SELECT {_COLUMNS} FROM lifecycle_progression_rules", []))


def find(key: str) -> Progression | None:
    return next((rule for rule in every() if rule.key == key), None)


def of_score(name: str) -> tuple[Progression, ...]:
    """The rules in force that look at this score, in their order. One statement."""
    rules = _read(
        f"SELECT {_COLUMNS} FROM lifecycle_progression_rules WHERE cause ->> 'score' = %s OR key = ANY(%s)",
        [name, list(BUILT_IN)],
    )
    return tuple(
        rule
        for rule in _with_built_in(rules)
        if rule.is_active and isinstance(rule.cause, ScoreReached) and rule.cause.name == name
    )


def of_events(types: Collection[str]) -> tuple[Progression, ...]:
    """The rules in force that look at events of these types, in their order. One statement."""
    rules = _read(
        f"SELECT {_COLUMNS} FROM lifecycle_progression_rules WHERE is_active AND cause ->> 'event' = ANY(%s)",
        [sorted(types)],
    )
    return tuple(sorted((rule for rule in rules if isinstance(rule.cause, EventHappened)), key=_order))


def save(raw: Mapping[str, Any], *, by: str, now: datetime, key: str = "") -> Progression:
    """Write a rule in the caller's transaction: a new one, or, with `key`, in the place of that one (a built-in one
    included). `raw` {name, cause, from_stages, to_stage, is_active?, position?}; a new rule without a position comes
    last. `by` is a person's or key's name. A threshold of its own is watched from now on. Raises BadRules with every
    mistake; LookupError for a key that no rule has."""
    authority.require(CHANGE)
    _hold()
    rules = every()
    before = next((rule for rule in rules if rule.key == key), None)
    if key and before is None:
        raise LookupError(f"no progression rule {key}")
    if before is None and len(rules) >= MOST:
        raise BadRules([Problem("", "too_many", f"at most {MOST} rules")])
    last = max((rule.position for rule in rules), default=0)
    place = before.position if before else last + 1
    rule = parse_progression({"position": place, **raw, "key": key or _new_key(raw.get("name"), rules)})
    _write([replace(rule, changed_by=by)])
    _watch(rule.key, rule, now)
    _note("saved", rule.key, before, rule)
    return rule


def switch(key: str, *, on: bool, by: str, now: datetime) -> None:
    """Put a rule in force, or out of it, in the caller's transaction. Raises LookupError."""
    authority.require(CHANGE)
    _hold()
    rule = find(key)
    if rule is None:
        raise LookupError(f"no progression rule {key}")
    _write([replace(rule, is_active=on, changed_by=by)])
    _watch(key, replace(rule, is_active=on), now)
    _note("switched", key, rule, replace(rule, is_active=on))


def raise_above(key: str, *, by: str) -> None:
    """Let a rule stand one place higher, in the caller's transaction. Raises LookupError."""
    authority.require(CHANGE)
    _hold()
    rules = list(every())
    place = next((place for place, rule in enumerate(rules) if rule.key == key), None)
    if place is None:
        raise LookupError(f"no progression rule {key}")
    if place:
        moved = {rules[place].key, rules[place - 1].key}
        rules[place - 1], rules[place] = rules[place], rules[place - 1]
        placed = [replace(rule, position=position) for position, rule in enumerate(rules)]
        _write([replace(rule, changed_by=by) if rule.key in moved else rule for rule in placed])


def remove(key: str, *, now: datetime) -> None:
    """Take a rule away, in the caller's transaction; of a built-in one, what was changed of it. Raises LookupError."""
    authority.require(CHANGE)
    _hold()
    rule = find(key)
    if rule is None:
        raise LookupError(f"no progression rule {key}")
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM lifecycle_progression_rules WHERE key = %s", [key])
    _watch(key, BUILT_IN.get(key), now)
    _note("removed", key, rule, BUILT_IN.get(key))


def _note(deed: str, key: str, before: Progression | None, after: Progression | None) -> None:
    name = (after or before or BUILT_IN[key]).name
    audit.note(
        f"progression_rule.{deed}", of=("progression_rule", key), name=name, before=_told(before), after=_told(after)
    )


def _told(rule: Progression | None) -> dict[str, Any] | None:
    if rule is None:
        return None
    return {
        "name": rule.name,
        "cause": dict(rule.written),
        "from": sorted(rule.from_stages),
        "to": rule.to_stage,
        "active": rule.is_active,
        "place": rule.position,
    }


def _watch(key: str, rule: Progression | None, now: datetime) -> None:
    """A threshold of a rule's own is declared with those who compare scores; that of a ruleset is compared anyway."""
    owner = f"progression:{key}"
    cause = rule.cause if rule is not None and rule.is_active else None
    if isinstance(cause, ScoreReached) and cause.threshold is not None:
        thresholds.declare(owner, [cause.threshold], now=now, name=cause.name)
    else:
        thresholds.declare(owner, [], now=now)


def _with_built_in(rules: Collection[Progression]) -> tuple[Progression, ...]:
    return tuple(sorted((dict(BUILT_IN) | {rule.key: rule for rule in rules}).values(), key=_order))


def _order(rule: Progression) -> tuple[int, str]:
    return rule.position, rule.key


def _new_key(name: object, rules: Collection[Progression]) -> str:
    """A name in the log for ever: `rule:demo-requested`."""
    taken = {rule.key for rule in rules}
    stem = slugify(str(name or ""))[:50].strip("-") or "rule"
    return next(key for key in (stem, *(f"{stem}-{number}" for number in range(2, MOST + 3))) if key not in taken)


def _hold() -> None:
    """Who changes the rules does so alone; nobody who only reads them waits."""
    assert connection.in_atomic_block, "a change of the rules needs the caller's transaction"
    with connection.cursor() as cursor:
        cursor.execute("LOCK TABLE lifecycle_progression_rules IN SHARE ROW EXCLUSIVE MODE")


def _write(rules: Collection[Progression]) -> None:
    rows = [
        {
            "key": rule.key,
            "name": rule.name,
            "cause": rule.written,
            "from_stages": list(rule.from_stages),
            "to_stage": rule.to_stage,
            "is_active": rule.is_active,
            "position": rule.position,
            "changed_by": rule.changed_by,
        }
        for rule in rules
    ]
    columns = "name, cause, from_stages, to_stage, is_active, position, changed_by"
    updated = ", ".join(f"{column} = EXCLUDED.{column}" for column in columns.split(", "))
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            INSERT INTO lifecycle_progression_rules (key, {columns})
            SELECT key, {columns}
              FROM jsonb_to_recordset(%s::jsonb) AS r(key text, name text, cause jsonb, from_stages jsonb,
                   to_stage text, is_active boolean, position integer, changed_by text)
            ON CONFLICT (key) DO UPDATE SET {updated}
            """,
            [json.dumps(rows)],
        )


def _read(statement: str, params: list[Any]) -> list[Progression]:
    """A rule that can no longer be read (a floor that knew its fields is gone) moves nobody, and the log says so."""
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        rows = cursor.fetchall()
    rules = []
    for document, key, changed_by in rows:
        try:
            rules.append(replace(_parsed(document), changed_by=changed_by))
        except BadRules:
            log.error("the progression rule %s cannot be read; it moves nobody", key)
    return rules


@lru_cache(maxsize=1000)
def _parsed(document: str) -> Progression:
    """The same text is the same rule: parsed once per process, however many events are looked at."""
    return parse_progression(json.loads(document))
