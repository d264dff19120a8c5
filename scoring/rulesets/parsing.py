"""Rules and rulesets as people write them, read with every mistake named by its path."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from django.conf import settings

from contacts.conditions import BadCondition, Condition, Problem, parse
from contacts.conditions.tree import EventCount
from contacts.durations import BadDuration, parse_duration, window
from scoring.rulesets.decay import BadDecay, Decay, parse_decay
from scoring.rulesets.rules import LEAD, BadRules, Group, Repeat, Rule, Settings, Written

MAX_RULES = 200
MAX_GROUPS = 50
MAX_PARTS = 10
MAX_POINTS = 1_000_000.0
LEAST_POINTS = 1e-6  # a score has 6 decimals; and PostgreSQL refuses a product that underflows to zero
MAX_NAME = 200
ON_ACTIVATION = ("emit", "rebase")
REPEATS = ("every_time", "once", "once_per")

_SCORE_NAME = re.compile(r"[-a-zA-Z0-9_]{1,60}", re.ASCII)


def parse_rules(raw: object, *, path: str = "rules") -> tuple[Rule, ...]:
    """Rules as people write them: {name, signal, points, decay?, cap?}. Raises BadRules with every mistake."""
    if not isinstance(raw, list):
        raise BadRules([Problem(path, "wrong_type", "expected a list of rules")])
    if len(raw) > MAX_RULES:
        raise BadRules([Problem(path, "too_long", f"at most {MAX_RULES} rules, got {len(raw)}")])
    problems: list[Problem] = []
    rules = [_rule(item, f"{path}[{position}]", problems) for position, item in enumerate(raw)]
    if problems:
        raise BadRules(problems)
    return tuple(rule for rule in rules if rule is not None)


def check_threshold(raw: object, *, path: str = "mql_threshold") -> float:
    """A finite number above 0. Raises BadRules."""
    threshold = _finite(raw)
    if threshold is None or not 0 < threshold <= MAX_POINTS:
        raise BadRules([Problem(path, "wrong_value", f"expected a number above 0 and at most {MAX_POINTS:.0f}")])
    return threshold


KEYS = (
    "name", "title", "mql_threshold", "cap", "groups", "parts", "hysteresis", "rearm_after", "on_activation", "rules",
)  # fmt: skip


def parse_ruleset(raw: object) -> Written:
    """A ruleset as people write it: `rules`, and any of `name` (default "lead") and the settings: `title`,
    `mql_threshold`, `cap`, `groups` [{name, cap}], `parts` {score name: weight}, `hysteresis` (0 to below 1),
    `rearm_after` (ISO 8601), `on_activation` (emit | rebase). Raises BadRules with every mistake."""
    if not isinstance(raw, dict):
        raise BadRules([Problem("", "wrong_type", "expected an object with rules")])
    problems = [Problem(str(key), "unknown_key", "unknown key") for key in sorted(raw.keys() - set(KEYS), key=str)]
    name = raw.get("name", LEAD)
    if not isinstance(name, str) or not _SCORE_NAME.fullmatch(name):
        message = "expected 1 to 60 letters, digits, hyphens or underscores"
        problems.append(Problem("name", "wrong_value", message))
        name = ""
    settings = _settings(raw, name, problems)
    try:
        rules = parse_rules(raw.get("rules"))
    except BadRules as error:
        problems.extend(error.problems)
        rules = ()
    known = {group.name for group in settings.groups}
    for position, rule in enumerate(rules):
        if rule.group and rule.group not in known:
            problems.append(Problem(f"rules[{position}].group", "wrong_value", f"no group is called {rule.group}"))
    if problems:
        raise BadRules(problems)
    return Written(name, settings, rules)


def _settings(raw: Mapping[str, Any], name: str, problems: list[Problem]) -> Settings:
    threshold = 60.0
    try:
        threshold = check_threshold(raw.get("mql_threshold", 60))
    except BadRules as error:
        problems.extend(error.problems)
    title = raw.get("title") or ""
    if not isinstance(title, str) or len(title) > MAX_NAME or not title.isprintable():
        problems.append(Problem("title", "wrong_value", f"expected at most {MAX_NAME} printable characters"))
        title = ""
    hysteresis = _finite(raw.get("hysteresis", 0.1))
    if hysteresis is None or not 0 <= hysteresis < 1:
        problems.append(Problem("hysteresis", "wrong_value", "expected a share from 0 to below 1, for example 0.1"))
        hysteresis = 0.1
    on_activation = raw.get("on_activation", "emit")
    if on_activation not in ON_ACTIVATION:
        problems.append(Problem("on_activation", "wrong_value", f"expected one of {', '.join(ON_ACTIVATION)}"))
    rearm_after = raw.get("rearm_after") or ""
    return Settings(
        title=title,
        mql_threshold=threshold,
        cap=_bound(raw.get("cap"), "cap", problems, above_zero=True),
        groups=_groups(raw.get("groups"), problems),
        weights=_weights(raw.get("parts"), name, problems),
        hysteresis=hysteresis,
        rearm_after=rearm_after if isinstance(rearm_after, str) else "",
        rearm_seconds=_seconds(rearm_after, "rearm_after", problems) if rearm_after else 0.0,
        on_activation=on_activation if isinstance(on_activation, str) else "emit",
    )


def _groups(raw: object, problems: list[Problem]) -> tuple[Group, ...]:
    if raw is None:
        return ()
    if not isinstance(raw, list) or len(raw) > MAX_GROUPS:
        problems.append(Problem("groups", "wrong_type", f"expected a list of at most {MAX_GROUPS} groups"))
        return ()
    groups: list[Group] = []
    for position, item in enumerate(raw):
        path = f"groups[{position}]"
        if not isinstance(item, dict) or set(item) != {"name", "cap"}:
            problems.append(Problem(path, "wrong_type", "expected an object with name and cap"))
            continue
        called = item["name"]
        if not _is_name(called) or any(group.name == called for group in groups):
            message = f"expected a name of 1 to {MAX_NAME} characters that no other group has"
            problems.append(Problem(f"{path}.name", "wrong_value", message))
            continue
        cap = _bound(item["cap"], f"{path}.cap", problems, above_zero=True, needed=True)
        groups.append(Group(called, cap or 0.0))
    return tuple(groups)


def _weights(raw: object, name: str, problems: list[Problem]) -> dict[str, float]:
    if raw is None:
        return {}
    if not isinstance(raw, dict) or len(raw) > MAX_PARTS:
        message = f"expected an object of at most {MAX_PARTS} names of scores, each with its weight"
        problems.append(Problem("parts", "wrong_type", message))
        return {}
    weights: dict[str, float] = {}
    for part, given in raw.items():
        weight = _finite(given)
        if not isinstance(part, str) or not _SCORE_NAME.fullmatch(part) or part == name:
            problems.append(Problem(f"parts.{part}", "wrong_value", "expected the name of another score"))
        elif weight is None or not LEAST_POINTS <= abs(weight) <= 1000:
            problems.append(Problem(f"parts.{part}", "wrong_value", "expected a weight other than 0, at most ±1000"))
        else:
            weights[part] = weight
    return weights


def _bound(
    raw: object, path: str, problems: list[Problem], *, above_zero: bool = False, needed: bool = False
) -> float | None:
    if raw is None and not needed:
        return None
    bound = _finite(raw)
    if bound is None or bound < 0 or (above_zero and bound == 0) or bound > MAX_POINTS * 1000:
        least = "above 0" if above_zero else "of at least 0"
        problems.append(Problem(path, "wrong_value", f"expected a number {least}" + ("" if needed else ", or null")))
        return None
    return bound


def _seconds(raw: object, path: str, problems: list[Problem]) -> float:
    try:
        seconds = parse_duration(raw if isinstance(raw, str) else "").total().total_seconds()
    except BadDuration as error:
        problems.append(Problem(path, "wrong_value", str(error)))
        return 0.0
    if seconds <= 0:
        problems.append(Problem(path, "wrong_value", "must be longer than nothing"))
    return seconds / settings.TIME_SPEED


def _is_name(raw: object) -> bool:
    return isinstance(raw, str) and bool(raw.strip()) and len(raw) <= MAX_NAME and raw.isprintable()


_RULE_KEYS = {"name", "signal", "points", "decay", "cap", "group", "repeat", "human_only"}


def _rule(raw: object, path: str, problems: list[Problem]) -> Rule | None:
    if not isinstance(raw, dict):
        problems.append(Problem(path, "wrong_type", "expected an object"))
        return None
    before = len(problems)
    for key in sorted(raw.keys() - _RULE_KEYS, key=str):
        problems.append(Problem(f"{path}.{key}", "unknown_key", "unknown key"))
    name = raw.get("name")
    if not _is_name(name):
        problems.append(Problem(f"{path}.name", "wrong_value", f"expected a name of 1 to {MAX_NAME} characters"))
    points = _finite(raw.get("points"))
    if points is None or not (points == 0 or LEAST_POINTS <= abs(points) <= MAX_POINTS):
        message = f"expected a number between ±{MAX_POINTS:.0f}, of at most 6 decimals"
        problems.append(Problem(f"{path}.points", "wrong_value", message))
    cap = _bound(raw.get("cap"), f"{path}.cap", problems)
    group = raw.get("group") or ""
    if group and not _is_name(group):
        problems.append(Problem(f"{path}.group", "wrong_value", "expected the name of a group"))
    human_only = raw.get("human_only", True)
    if not isinstance(human_only, bool):
        problems.append(Problem(f"{path}.human_only", "wrong_type", "expected true or false"))
    decay = _decay(raw.get("decay"), f"{path}.decay", problems)
    repeat = _repeat(raw.get("repeat"), f"{path}.repeat", problems)
    event, where, within, condition = _signal(raw.get("signal"), f"{path}.signal", problems)
    if condition is not None and decay is not None and decay.kind != "none":
        problems.append(
            Problem(f"{path}.decay", "wrong_value", "a condition has no age: its points do not fade, only events' do")
        )
    if condition is not None and repeat.policy != "every_time":
        message = "a condition is not repeated: it gives its points once, while it is true"
        problems.append(Problem(f"{path}.repeat", "wrong_value", message))
    if len(problems) > before or points is None or decay is None:
        return None
    return Rule(
        name=raw["name"],
        points=points,
        decay=decay,
        cap=cap,
        event=event,
        where=where,
        condition=condition,
        signal=raw["signal"],
        fading=raw.get("decay") or {},
        within=within,
        group=group,
        repeat=repeat,
        repeating=raw.get("repeat") or {},
        human_only=human_only,
    )


def _signal(
    raw: object, path: str, problems: list[Problem]
) -> tuple[str, Condition | None, float | None, Condition | None]:
    """(event type, where, within in seconds, condition): {"event": TYPE, "where"?, "within"?} counts each event; all
    else is a condition, and so is an event that is counted (`op`, `count`) or narrowed to a message."""
    try:
        condition = parse(raw, path=path)
    except BadCondition as error:
        problems.extend(error.problems)
        return "", None, None, None
    if _mentions_score(raw):
        problems.append(Problem(path, "circular", "a score cannot depend on a score"))
    if isinstance(condition, EventCount) and isinstance(raw, dict) and set(raw) <= {"event", "where", "within"}:
        within = window(condition.within, speed=settings.TIME_SPEED).total_seconds() if condition.within else None
        return condition.type, condition.where, within, None
    return "", None, None, condition


def _repeat(raw: object, path: str, problems: list[Problem]) -> Repeat:
    if raw is None or raw == {}:
        return Repeat()
    if not isinstance(raw, dict) or raw.get("policy") not in REPEATS or raw.keys() - {"policy", "period"}:
        message = f"expected an object with a policy ({', '.join(REPEATS)}) and, for once_per, a period"
        problems.append(Problem(path, "wrong_value", message))
        return Repeat()
    if raw["policy"] != "once_per":
        if "period" in raw:
            problems.append(Problem(f"{path}.period", "wrong_value", "only once_per has a period"))
        return Repeat(raw["policy"])
    return Repeat("once_per", _seconds(raw.get("period"), f"{path}.period", problems))


def _mentions_score(tree: object) -> bool:
    if isinstance(tree, dict):
        return str(tree.get("field")).split(".")[0] == "score" or any(_mentions_score(part) for part in tree.values())
    return isinstance(tree, list) and any(_mentions_score(part) for part in tree)


def _decay(raw: object, path: str, problems: list[Problem]) -> Decay | None:
    try:
        return parse_decay(raw, speed=settings.TIME_SPEED)
    except BadDecay as error:
        problems.append(Problem(f"{path}.{error.field}".rstrip("."), "wrong_value", str(error)))
        return None


def _finite(raw: object) -> float | None:
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        return None
    try:
        value = float(raw)
    except OverflowError:
        return None
    return value if math.isfinite(value) else None
