"""Versions and scores as the pages show them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db.models import Count

from scoring.models import Ruleset
from scoring.rulesets import curves, diff, versions, wording

OLDER_SHOWN = 20  # versions of one score on the page of all scores


def rules(written: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each rule in words, with its curve where its points can fade."""
    return [
        {
            "name": rule["name"],
            "sentence": wording.told(rule["signal"]),
            "points": wording.signed(rule["points"]),
            "negative": rule["points"] < 0,
            "notes": wording.bounds(rule),
            "curve": curves.drawn(rule["decay"], rule["points"]) if wording.counts_each(rule["signal"]) else None,
        }
        for rule in written["rules"]
    ]


def scores() -> list[dict[str, Any]]:
    """Every score that there is: its active version, its drafts and its newest older versions. Two statements."""
    by_name: dict[str, dict[str, Any]] = {}
    for ruleset in Ruleset.objects.annotate(counted=Count("rules")).order_by("name", "-version"):
        score = by_name.setdefault(
            ruleset.name, {"name": ruleset.name, "title": "", "active": None, "drafts": [], "older": [], "more": 0}
        )
        if ruleset.state == "active":
            score["active"] = ruleset
        elif ruleset.state == "draft":
            score["drafts"].append(ruleset)
        elif len(score["older"]) < OLDER_SHOWN:
            score["older"].append(ruleset)
        else:
            score["more"] += 1
    for score in by_name.values():
        newest = score["active"] or (score["drafts"] or score["older"])[0]
        score["title"] = newest.title or newest.name.replace("_", " ").replace("-", " ").capitalize()
    return sorted(by_name.values(), key=lambda score: (score["active"] is None, score["name"] != "lead", score["name"]))


def changes(before: Ruleset | None, after: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What `after` says differently from a version (None: from no rules at all), for the template of differences."""
    written = versions.as_written(before) if before else versions.nothing_written(str(after["name"]))
    return shown_changes(diff.compare(written, after))


def shown_changes(found: Iterable[diff.Change]) -> list[dict[str, Any]]:
    return [
        {"kind": change.kind, "word": _WORDS[change.kind], "what": change.what, "sentences": list(change.sentences)}
        for change in found
    ]


_WORDS = {
    diff.ADDED: "New",
    diff.REMOVED: "Gone",
    diff.CHANGED: "Changed",
    diff.MOVED: "Moved",
    diff.SETTING: "Setting",
}


def siblings(ruleset: Ruleset) -> Sequence[Ruleset]:
    """Every version of the same score, the newest first."""
    return list(Ruleset.objects.filter(name=ruleset.name).order_by("-version")[:200])
