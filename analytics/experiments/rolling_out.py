"""The winner for everybody: a new version of the journey in which the experiment step is replaced by the winner's way.
Who is under way stays on their version until an edit plan says otherwise, and keeps the variant that they had."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from analytics.experiments import asking
from analytics.models import Experiment
from scoring.lifecycle import stages
from workflows import publishing
from workflows.definition import phrases
from workflows.definition.diff import Change, diff
from workflows.definition.problems import Problem
from workflows.definition.validation import validate
from workflows.models import Workflow

LONGEST_NOTE = 500


class CannotRollOut(Exception):
    """The journey is not in a state that allows this; the message says why."""


@dataclass(frozen=True)
class Plan:
    """`definition` is what would be published as the version after `after_version`; `changes` say how it differs from
    that one, `problems` what keeps it from being published or is doubtful."""

    workflow: Workflow
    variant: str
    after_version: int
    definition: Mapping[str, Any]
    changes: tuple[Change, ...]
    problems: tuple[Problem, ...]

    @property
    def is_possible(self) -> bool:
        return not any(problem.severity == "error" for problem in self.problems)


def plan(experiment: Experiment, variant: str) -> Plan:
    """What would be published; nothing changes. Raises CannotRollOut."""
    workflow = Workflow.objects.select_related("live_version").filter(pk=experiment.workflow_id).first()
    live = workflow.live_version if workflow else None
    if workflow is None or live is None or workflow.status == "archived":
        raise CannotRollOut("Nothing of the journey is live any more.")
    if publishing.definition_hash(workflow.draft) != live.definition_hash:
        raise CannotRollOut(
            "The draft of the journey has changes that are not published, and they would go out with it. Publish them "
            f"first, or bring back version {live.number}."
        )
    definition = _without(live.definition, experiment.slug, variant)
    with phrases.calling_stages(stages.labels()):
        changes = tuple(diff(live.definition, definition))
    return Plan(workflow, variant, live.number, definition, changes, tuple(validate(definition)))


def roll_out(experiment: Experiment, *, variant: str, after_version: int, reason: str, by: str, now: datetime) -> int:
    """Publish it and decide the experiment, if it was not decided that way before, inside the caller's transaction;
    returns the version's number.

    `after_version` is the version that was looked at. Raises CannotRollOut, publishing.CannotPublish, and what
    `asking.decide` raises."""
    Workflow.objects.select_for_update(no_key=True).filter(pk=experiment.workflow_id).first()
    found = plan(experiment, variant)
    if found.after_version != after_version:
        raise CannotRollOut(f"Version {found.after_version} was published meanwhile. Look at what would change again.")
    slug = found.workflow.slug
    what = f"Rolled out variant {variant} of the experiment {experiment.slug}"
    publishing.save_draft(definition=dict(found.definition), now=now, by=by, what=what)
    note = f"Variant {variant} of the experiment {experiment.slug} for everybody: {reason}"
    number = publishing.publish(slug=slug, by=by, note=note[:LONGEST_NOTE], now=now)
    again = Experiment.objects.filter(pk=experiment.pk, state="decided", decision=variant, rolled_out_in=None)
    if not again.update(rolled_out_in=number):  # else the decision was recorded before, and stands as it is
        asking.decide(experiment, variant=variant, reason=reason, now=now, by=by, rolled_out_in=number)
    return number


def _without(definition: Mapping[str, Any], slug: str, variant: str) -> dict[str, Any]:
    """The definition with every step of the experiment bridged, and without the steps that nobody comes to any more.
    Raises CannotRollOut."""
    steps: Mapping[str, Any] = definition["steps"]
    ways = {
        key: step["next"].get(variant)
        for key, step in steps.items()
        if step["type"] == "experiment" and step["config"]["experiment"] == slug and variant in step["next"]
    }
    if not ways:
        raise CannotRollOut(f"The live version has no experiment {slug} with the variant {variant} any more.")

    def bridged(target: str | None) -> str | None:
        seen: set[str] = set()
        while target in ways and target not in seen:
            seen.add(target)
            target = ways[target]
        return target

    start = bridged(definition["start"])
    if start is None:
        raise CannotRollOut(
            f"The journey begins with the experiment, and the way of {variant} leads straight to its end: nothing "
            "would be left of it. Pause or archive the journey instead, and record the decision."
        )
    kept = {
        key: {**step, "next": {port: bridged(target) for port, target in step["next"].items()}}
        for key, step in steps.items()
        if key not in ways
    }
    lost = _reached(definition["start"], steps) - _reached(start, kept)
    return {**definition, "start": start, "steps": {key: step for key, step in kept.items() if key not in lost}}


def _reached(start: str, steps: Mapping[str, Any]) -> set[str]:
    found: set[str] = set()
    todo = [start]
    while todo:
        key = todo.pop()
        if key in steps and key not in found:
            found.add(key)
            todo += [target for target in steps[key]["next"].values() if target is not None]
    return found
