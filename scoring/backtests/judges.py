"""Both versions of the rules as they were when a back-test was asked for. A draft may be edited while it is tried, and
a part may get another version: every page of contacts is judged by the same rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from scoring.models import Ruleset as Stored
from scoring.rulesets import versions
from scoring.rulesets.parsing import parse_ruleset
from scoring.rulesets.rules import Part, Ruleset


@dataclass(frozen=True)
class Judges:
    """`tried` is the version that is tried, `active` the one that held then (None: there was none, or it is the same).
    Each has its own threshold."""

    tried: Ruleset
    threshold: float
    active: Ruleset | None


def freeze(ruleset: Stored) -> dict[str, Any]:
    """A version with the parts that are active now: what `thaw` reads."""
    active = Stored.objects.filter(name__in=list(ruleset.parts), state="active")
    return {
        "id": ruleset.pk,
        "version": ruleset.version,
        "edits": ruleset.edits,
        "written": versions.as_written(ruleset),
        "parts": {part.name: versions.as_written(part) for part in active},
    }


def thaw(frozen: Mapping[str, Any]) -> Ruleset:
    ruleset = _read(frozen["written"], frozen["id"], frozen["version"])
    parts = [
        Part(name, weight, _read(frozen["parts"][name], 0, 0))
        for name, weight in sorted(ruleset.settings.weights.items())
        if name in frozen["parts"]
    ]
    return replace(ruleset, parts=tuple(parts))


def _read(written: Mapping[str, Any], ruleset_id: int, version: int) -> Ruleset:
    read = parse_ruleset(written)
    return Ruleset(
        ruleset_id=ruleset_id,
        name=read.name,
        version=version,
        mql_threshold=read.settings.mql_threshold,
        rules=read.rules,
        settings=read.settings,
    )
