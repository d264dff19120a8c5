"""Published versions, compiled once per process: a version never changes, so what was compiled stays true."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from django.conf import settings as installation

from contacts.conditions import Condition, parse
from contacts.durations import window
from workflows.definition.conditions import EVENT_SCOPE, STEP_SCOPE
from workflows.definition.schema import Definition
from workflows.models import WorkflowVersion
from workflows.steps import registry
from workflows.steps.base import StepType
from workflows.watches import exit_rules
from workflows.watches.exit_rules import Rule


@dataclass(frozen=True)
class CompiledStep:
    kind: StepType
    prepared: Any
    next: Mapping[str, str | None]
    skip_if: Condition | None
    skip_port: str  # where to go when it is skipped: the last way out, `else` and `timed_out` among them
    watches: frozenset[str] = frozenset()  # what ends a wait here before its time


@dataclass(frozen=True)
class CompiledVersion:
    """A version, ready to run. `where` and `audience` are None where the definition has no such condition."""

    id: int
    workflow_id: int
    slug: str
    definition: Definition
    where: Condition | None
    audience: Condition | None
    steps: Mapping[str, CompiledStep]
    max_duration: timedelta | None
    exits: tuple[Rule, ...] = ()  # goals, then disqualifications
    splits: bool = False  # whether it has an experiment

    def is_over(self, entered_at: datetime, now: datetime) -> bool:
        """Whether somebody has been under way for longer than the version allows."""
        return self.max_duration is not None and entered_at + self.max_duration <= now

    def at_the_latest(self, wake_at: datetime, entered_at: datetime) -> datetime:
        """The wake time, or the end of the longest duration if that comes first."""
        return wake_at if self.max_duration is None else min(wake_at, entered_at + self.max_duration)


def load(version_ids: Iterable[int]) -> dict[int, CompiledVersion]:
    """The compiled versions; those not met before in this process are read with one statement each, once."""
    return {version_id: _load(version_id) for version_id in set(version_ids)}


def splitting(version_ids: Iterable[int]) -> set[int]:
    """Those of them that have an experiment."""
    return {version_id for version_id in set(version_ids) if _splits(version_id)}


def _splits(version_id: int) -> bool:
    try:
        return _load(version_id).splits
    except WorkflowVersion.DoesNotExist:
        return False  # of a message that was made by hand, under a name that no workflow knows


@lru_cache(maxsize=2000)
def _load(version_id: int) -> CompiledVersion:
    return compile_version(WorkflowVersion.objects.get(pk=version_id))


def compile_version(version: WorkflowVersion) -> CompiledVersion:
    """From a stored, valid definition. Raises where it is not valid: publishing never stores such a one."""
    definition = Definition.model_validate(version.definition)
    entry, longest = definition.entry, definition.settings.max_duration
    steps: dict[str, CompiledStep] = {}
    for key, step in definition.steps.items():
        kind = registry.find(step.type)
        if kind is None:
            raise LookupError(f"version {version.pk}, step {key}: no step type {step.type!r} in this installation")
        config = kind.Config.model_validate(step.config)
        steps[key] = CompiledStep(
            kind=kind,
            prepared=kind.prepare(config),
            next=dict(step.next),
            skip_if=parse(step.skip_if, scope=STEP_SCOPE) if step.skip_if is not None else None,
            skip_port=(kind.ports(config) or ("",))[-1],
            watches=frozenset(kind.watches(config)),
        )
    return CompiledVersion(
        id=version.pk,
        workflow_id=version.workflow_id,
        slug=definition.slug,
        definition=definition,
        where=parse(filter_, scope=EVENT_SCOPE) if (filter_ := entry.trigger.filter()) is not None else None,
        audience=parse(entry.audience) if entry.audience is not None else None,
        steps=steps,
        max_duration=window(longest, speed=installation.TIME_SPEED) if longest else None,
        exits=exit_rules.compile_rules(definition.exit),
        splits=any(step.kind.key == "experiment" for step in steps.values()),
    )
