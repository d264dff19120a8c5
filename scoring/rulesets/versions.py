"""Versions of a score's rules: written as drafts, made active by one deed. A new version holds at once for every
question; who crosses because of it is found in batches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Max

from contacts import audit, authority, doorbell
from contacts.conditions import Problem
from scoring.crossings.checks import BELL
from scoring.models import Ruleset, ScoringRule
from scoring.rulesets.parsing import ON_ACTIVATION, parse_ruleset
from scoring.rulesets.rules import LEAD, BadRules, Rule, Written

BEFORE_EVERYBODY = 0  # smaller than every contact's id


class NoDraft(LookupError):
    """There is no such version, or it is not a draft any more."""


class Stale(ValueError):
    """Somebody else saved this draft meanwhile."""


def activate(
    *,
    rules: object,
    now: datetime,
    name: str = LEAD,
    mql_threshold: object = 60,
    by: str = "",
    **settings: object,
) -> int:
    """Make these rules the active version of the score `name`; returns the ruleset's id. `rules` is a list of
    {name, signal, points, decay?, cap?, group?, repeat?, human_only?}, `settings` the rest of what
    `parsing.parse_ruleset` takes. Raises BadRules."""
    written = parse_ruleset({"name": name, "mql_threshold": mql_threshold, "rules": rules, **settings})
    with transaction.atomic():
        return _activate(_store(written, now=now, by=by, based_on=None), None, now=now, by=by)


def write_draft(raw: object, *, now: datetime, by: str = "", based_on: int | None = None) -> int:
    """A new draft of a score; returns its id. `raw`: as `parsing.parse_ruleset` takes. Raises BadRules."""
    written = parse_ruleset(raw)
    with transaction.atomic():
        return _store(written, now=now, by=by, based_on=based_on).pk


def change_draft(ruleset_id: int, raw: object, *, edits: int | None = None, by: str = "") -> int:
    """What a draft says from now on; returns its new number of edits. `edits` is that number as the editor saw it
    (None: whatever it is). The name of its score stays. Raises BadRules, NoDraft, Stale."""
    written = parse_ruleset(raw)
    with transaction.atomic():
        draft = _locked(ruleset_id, edits)
        if draft.name != written.name:
            raise BadRules([Problem("name", "wrong_value", f"this is a draft of {draft.name}")])
        Ruleset.objects.filter(pk=ruleset_id).update(**_columns(written), created_by=by, edits=F("edits") + 1)
        ScoringRule.objects.filter(ruleset_id=ruleset_id).delete()
        _store_rules(ruleset_id, written)
    return draft.edits + 1


def activate_draft(
    ruleset_id: int, *, now: datetime, on_activation: str | None = None, edits: int | None = None, by: str = ""
) -> int:
    """The draft holds for everybody from the commit on; returns its id. `on_activation`: emit or rebase, instead of
    what the draft says; `edits`: as in `change_draft`. Raises NoDraft, BadRules, Stale."""
    if on_activation is not None and on_activation not in ON_ACTIVATION:
        raise BadRules([Problem("on_activation", "wrong_value", f"expected one of {', '.join(ON_ACTIVATION)}")])
    with transaction.atomic():
        return _activate(_locked(ruleset_id, edits), on_activation, now=now, by=by)


def discard_draft(ruleset_id: int, *, edits: int | None = None) -> None:
    """`edits`: as in `change_draft`. Raises NoDraft, Stale."""
    with transaction.atomic():
        _locked(ruleset_id, edits).delete()


def draft_from(ruleset_id: int, *, now: datetime, by: str = "") -> int:
    """A new draft that says what a version says, whatever its state; returns its id. So an older version is brought
    back. Raises LookupError."""
    with transaction.atomic():
        found = Ruleset.objects.filter(pk=ruleset_id).first()
        if found is None:
            raise LookupError(f"no ruleset {ruleset_id}")
        return write_draft(as_written(found), now=now, by=by, based_on=found.version)


def put_rule(rule: object, *, now: datetime, name: str = LEAD, by: str = "") -> int:
    """Activate the score's rules with this one more, or with it in the place of the one of its name; returns the new
    version's id. Nobody's rule is lost to another that is put at the same time. Raises BadRules, whose paths begin at
    the rule."""
    with transaction.atomic():
        _one_at_a_time(name)
        written, version = _active_as_written(name)
        rules, called = written["rules"], rule.get("name") if isinstance(rule, dict) else None
        place = next((at for at, other in enumerate(rules) if other["name"] == called), len(rules))
        try:
            wanted = parse_ruleset({**written, "rules": [*rules[:place], rule, *rules[place + 1 :]]})
        except BadRules as error:
            raise BadRules([_from_the_rule(problem, place) for problem in error.problems]) from error
        return _activate(_store(wanted, now=now, by=by, based_on=version), None, now=now, by=by)


def drop_rule(called: str, *, now: datetime, name: str = LEAD, by: str = "") -> int:
    """Activate the score's rules without those of this name; returns the new version's id. Raises LookupError where
    there is none."""
    with transaction.atomic():
        _one_at_a_time(name)
        written, version = _active_as_written(name)
        kept = [rule for rule in written["rules"] if rule["name"] != called]
        if len(kept) == len(written["rules"]):
            raise LookupError(f"no active rule of {name} is called so")
        wanted = parse_ruleset({**written, "rules": kept})
        return _activate(_store(wanted, now=now, by=by, based_on=version), None, now=now, by=by)


def _active_as_written(name: str) -> tuple[dict[str, Any], int | None]:
    """With the number of its version."""
    active = Ruleset.objects.filter(name=name, state="active").first()
    return (as_written(active), active.version) if active else (nothing_written(name), None)


def _from_the_rule(problem: Problem, place: int) -> Problem:
    return replace(problem, path=problem.path.removeprefix(f"rules[{place}]").removeprefix("."))


def as_written(ruleset: Ruleset) -> dict[str, Any]:
    """What `parsing.parse_ruleset` takes to make the same version again: to show, to edit and to export it."""
    return {
        "name": ruleset.name,
        "title": ruleset.title,
        "mql_threshold": ruleset.mql_threshold,
        "cap": ruleset.cap,
        "groups": ruleset.groups,
        "parts": ruleset.parts,
        "hysteresis": ruleset.hysteresis,
        "rearm_after": ruleset.rearm_after,
        "on_activation": ruleset.on_activation,
        "rules": [
            {
                "name": rule.name,
                "signal": rule.signal,
                "points": rule.points,
                "decay": rule.decay,
                "cap": rule.cap,
                "group": rule.group,
                "repeat": rule.repeat,
                "human_only": rule.human_only,
            }
            for rule in ScoringRule.objects.filter(ruleset=ruleset).order_by("id")
        ],
    }


def nothing_written(name: str) -> dict[str, Any]:
    """As `as_written`, of a score that has no rules yet."""
    return spelled(parse_ruleset({"name": name, "rules": []}))


def spelled(written: Written) -> dict[str, Any]:
    """As `as_written`, of what is not stored: every key is there."""
    return {"name": written.name, **_columns(written), "rules": [_rule_columns(rule) for rule in written.rules]}


def _activate(ruleset: Ruleset, on_activation: str | None, *, now: datetime, by: str) -> int:
    authority.require("scoring.change_ruleset", "scoring.add_ruleset")
    _one_at_a_time(ruleset.name)
    versions = Ruleset.objects.filter(name=ruleset.name)
    held = versions.filter(state="active").values_list("version", flat=True).first()
    before = None if held is None else {"version": held}
    after = {"version": ruleset.version, "on_activation": on_activation or ruleset.on_activation}
    audit.note("ruleset.activated", of=("ruleset", ruleset.name), name=ruleset.title, before=before, after=after)
    versions.filter(state="active").update(state="retired", recheck_after=None)
    versions.filter(pk=ruleset.pk).update(
        state="active",
        on_activation=on_activation or ruleset.on_activation,
        activated_at=now,
        activated_by=by,
        recheck_after=BEFORE_EVERYBODY,
        activated_xid=None,
    )
    # a combined score moves with its parts
    combining = Ruleset.objects.filter(state="active", parts__has_key=ruleset.name)
    combining.update(recheck_after=BEFORE_EVERYBODY, activated_xid=None)
    doorbell.ring_on_commit(BELL, "bulk")
    return ruleset.pk


def _store(written: Written, *, now: datetime, by: str, based_on: int | None) -> Ruleset:
    _one_at_a_time(written.name)
    last = Ruleset.objects.filter(name=written.name).aggregate(last=Max("version"))["last"] or 0
    ruleset = Ruleset.objects.create(
        name=written.name,
        version=last + 1,
        state="draft",
        created_at=now,
        created_by=by,
        based_on=based_on,
        **_columns(written),
    )
    _store_rules(ruleset.pk, written)
    return ruleset


def _store_rules(ruleset_id: int, written: Written) -> None:
    ScoringRule.objects.bulk_create(ScoringRule(ruleset_id=ruleset_id, **_rule_columns(rule)) for rule in written.rules)


def _rule_columns(rule: Rule) -> dict[str, Any]:
    return {
        "name": rule.name,
        "signal": rule.signal,
        "points": rule.points,
        "decay": rule.fading,
        "cap": rule.cap,
        "group": rule.group,
        "repeat": rule.repeating,
        "human_only": rule.human_only,
    }


def _columns(written: Written) -> Mapping[str, Any]:
    settings = written.settings
    return {
        "title": settings.title,
        "mql_threshold": settings.mql_threshold,
        "cap": settings.cap,
        "groups": [{"name": group.name, "cap": group.cap} for group in settings.groups],
        "parts": dict(settings.weights),
        "hysteresis": settings.hysteresis,
        "rearm_after": settings.rearm_after,
        "on_activation": settings.on_activation,
    }


def _locked(ruleset_id: int, edits: int | None) -> Ruleset:
    draft = Ruleset.objects.select_for_update().filter(pk=ruleset_id, state="draft").first()
    if draft is None:
        raise NoDraft(f"no draft {ruleset_id}")
    if edits is not None and draft.edits != edits:
        raise Stale(f"{draft} was saved {draft.edits} times, not {edits}")
    return draft


def _one_at_a_time(name: str) -> None:
    """Two who write or activate versions of one score come one after the other."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"scoring.activate:{name}"])
