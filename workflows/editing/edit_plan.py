"""The edit plan: what becomes of those who are under way in older versions once a new one is published. Nobody moves by
themselves; for each step somebody says stay (which needs no plan), move to a step of the new version, or exit.

Here is the question and the answer that is written down; `edit_moves` does what it says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, cast, get_args
from uuid import UUID

from django.db import IntegrityError, connection, transaction

from contacts import audit, authority, doorbell
from contacts.faults import Fault
from scoring.lifecycle import stages
from workflows.definition import phrases
from workflows.definition.diff import Change, step_changes
from workflows.definition.sentences import step_sentence
from workflows.models import EditPlan, Enrolment, Workflow, WorkflowVersion
from workflows.models.enrolment import UNFINISHED
from workflows.spelling import walk

BELL = "workflows.apply_plan"
LANE = "bulk"
Deed = Literal["stay", "move", "exit"]
DEEDS: tuple[Deed, ...] = get_args(Deed)
State = Literal["unchanged", "changed", "removed"]


class NotPossible(Exception):
    """The workflow, or the plan, is not in a state that allows this; the message says why."""


class BadDecisions(ValueError):
    """`faults` say which of them, and why."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("; ".join(fault.msg for fault in faults))
        self.faults = faults


@dataclass(frozen=True)
class Decision:
    """`to` is a step of the new version, for `move` alone."""

    do: Deed
    to: str | None = None

    def as_dict(self) -> dict[str, str]:
        return {"do": self.do, "to": self.to} if self.to is not None else {"do": self.do}


@dataclass(frozen=True)
class Standing:
    """The people at one step of older versions, all of these taken together. `versions`: version number -> people.
    `target`: where they would go by default, the same step if it is there and of the same type. `again`: steps that
    they may have done and would come to once more from there."""

    step: str
    name: str
    type: str
    sentence: str
    state: State
    changes: tuple[str, ...]
    pending: int
    active: int
    waiting: int
    versions: Mapping[int, int]
    target: str | None
    again: tuple[str, ...]

    @property
    def people(self) -> int:
        return self.pending + self.active + self.waiting

    @property
    def proposal(self) -> Decision:
        """Where nothing changes for them at this step, to move on the new way; otherwise to stay."""
        move = self.state == "unchanged" and self.target is not None and not self.again
        return Decision("move", self.target) if move else Decision("stay")


@dataclass(frozen=True)
class Survey:
    """Who is under way in versions older than the live one, by step, in the order of the steps."""

    to_version: int
    targets: Mapping[str, str]  # the steps of the live version in their order -> their names
    standings: tuple[Standing, ...]

    @property
    def people(self) -> int:
        return sum(standing.people for standing in self.standings)


@dataclass
class _Gathered:
    counts: dict[str, int] = field(default_factory=lambda: {"pending": 0, "active": 0, "waiting": 0})
    versions: dict[int, int] = field(default_factory=dict)


def survey(slug: str) -> Survey:
    """Look, change nothing: four statements. Raises Workflow.DoesNotExist, NotPossible."""
    workflow = Workflow.objects.select_related("live_version").get(slug=slug)
    live = workflow.live_version
    if live is None or workflow.status == "archived":
        raise NotPossible("nothing of this workflow is live, so there is nothing to move to")
    found = _under_way(workflow.pk, live.pk)
    older = WorkflowVersion.objects.in_bulk({version_id for version_id, _ in found})
    new = live.definition["steps"]
    gathered: dict[str, _Gathered] = {}
    for (version_id, step), counts in found.items():
        at = gathered.setdefault(step, _Gathered())
        number = older[version_id].number
        at.versions[number] = at.versions.get(number, 0) + sum(counts.values())
        for state, count in counts.items():
            at.counts[state] += count
    by_number = {version.number: version.definition for version in older.values()}
    places = _order([live.definition, *(by_number[number] for number in sorted(by_number, reverse=True))])
    with phrases.calling_stages(stages.labels()):
        standings = [
            _standing(step, gathered[step], {number: by_number[number] for number in gathered[step].versions}, live)
            for step in sorted(gathered, key=lambda step: (places.get(step, len(places)), step))
        ]
    names = {key: new[key].get("name") or key for key in walk(live.definition["start"], new)}
    return Survey(live.number, names, tuple(standings))


def under_way(workflow_id: int) -> int:
    """How many are under way, in whichever version."""
    return Enrolment.objects.filter(workflow=workflow_id, state__in=UNFINISHED).count()


def under_way_elsewhere(workflow_id: int) -> int:
    """How many are under way in other versions than the live one."""
    live = Workflow.objects.filter(pk=workflow_id).values("live_version_id")
    return Enrolment.objects.filter(workflow=workflow_id, state__in=UNFINISHED).exclude(version__in=live).count()


def _under_way(workflow_id: int, live_id: int) -> dict[tuple[int, str], dict[str, int]]:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT version_id, step, state, count(*) FROM workflow_enrolments
             WHERE workflow_id = %s AND version_id <> %s AND state IN ('pending', 'active', 'waiting')
             GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
            """,
            [workflow_id, live_id],
        )
        found: dict[tuple[int, str], dict[str, int]] = {}
        for version_id, step, state, count in cursor.fetchall():
            found.setdefault((version_id, step), {})[state] = count
    return found


def _standing(step: str, at: _Gathered, versions: Mapping[int, Any], live: WorkflowVersion) -> Standing:
    """`versions`: number -> definition, of those in which somebody stands here."""
    latest = versions[max(versions)]["steps"][step]
    new = live.definition["steps"].get(step)
    changes: dict[str, Change] = {}
    again: dict[str, None] = {}
    target = step if new is not None and new["type"] == latest["type"] else None
    for number in sorted(versions, reverse=True):
        if new is not None:
            told = step_changes(step, versions[number], live.definition)
            changes |= {change.sentence: change for change in told if change.kind != "renamed"}
        if target is not None:
            again |= dict.fromkeys(may_repeat(versions[number], step, live.definition, target))
    return Standing(
        step=step,
        name=latest.get("name") or step,
        type=latest["type"],
        sentence=step_sentence(latest),
        state=_state(new, changes.values()),
        changes=tuple(changes),
        versions=dict(sorted(at.versions.items())),
        target=target,
        again=tuple(again),
        **at.counts,
    )


def _state(new: Any, changes: Iterable[Change]) -> State:
    """What a step does is its content; where its ways lead is not: whoever stands at it has taken none."""
    if new is None:
        return "removed"
    return "changed" if any(change.kind != "rewired" for change in changes) else "unchanged"


def _order(definitions: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    places: dict[str, int] = {}
    for definition in definitions:
        for key in walk(definition["start"], definition["steps"]):
            places.setdefault(key, len(places))
    return places


def may_repeat(old: Mapping[str, Any], step: str, new: Mapping[str, Any], target: str) -> list[str]:
    """The steps that somebody who stands at `step` of the old definition may have done, and would come to again after
    `target` of the new one. Pure; linear in the definitions."""
    ways: dict[str, list[str]] = {key: [] for key in old["steps"]}
    for key, each in old["steps"].items():
        for next_key in _next(each):
            ways[next_key].append(key)
    done = _reach(step, ways) - {step}
    ahead = _reach(target, {key: _next(each) for key, each in new["steps"].items()})
    if target == step:
        ahead.discard(step)
    return [key for key in walk(new["start"], new["steps"]) if key in done and key in ahead]


def _next(step: Mapping[str, Any]) -> list[str]:
    return [target for target in step.get("next", {}).values() if target is not None]


def _reach(start: str, ways: Mapping[str, list[str]]) -> set[str]:
    seen, todo = {start}, [start]
    while todo:
        for key in ways[todo.pop()]:
            if key not in seen:
                seen.add(key)
                todo.append(key)
    return seen


# -- decisions ---------------------------------------------------------------------------------------------------------


def read_decisions(raw: Any, seen: Survey, *, known: Iterable[str] = ()) -> dict[str, Decision]:
    """{STEP: {"do": …, "to": …}} or {STEP: "exit"}; a move without `to` goes to the step of the same name. `known`:
    further steps that older versions have, where nobody stands now. Raises BadDecisions."""
    if not isinstance(raw, Mapping):
        raise BadDecisions([Fault("type", "must be an object: a step, and what becomes of those who stand there")])
    standing = {each.step for each in seen.standings} | set(known)
    faults: list[Fault] = []
    read: dict[str, Decision] = {}
    for step, said in raw.items():
        given = {"do": said} if isinstance(said, str) else said
        if step not in standing:
            faults.append(Fault("unknown_step", f"no older version has a step {step!r}", (step,)))
        elif not isinstance(given, Mapping) or given.get("do") not in DEEDS or set(given) - {"do", "to"}:
            faults.append(Fault("bad_value", 'must be {"do": "stay" | "move" | "exit", "to": STEP}', (step,)))
        elif given["do"] != "move":
            if given.get("to") is not None:
                faults.append(Fault("bad_value", "only a move goes to a step", (step, "to")))
            read[step] = Decision(cast(Deed, given["do"]))
        else:
            to = given.get("to") or step
            if not isinstance(to, str) or to not in seen.targets:
                faults.append(Fault("unknown_step", f"version {seen.to_version} has no step {to!r}", (step, "to")))
            read[step] = Decision("move", to)
    if faults:
        raise BadDecisions(faults)
    return read


@dataclass(frozen=True)
class Fate:
    """What becomes of the people who stand at a step now."""

    step: str
    decision: Decision
    people: int


def fates(seen: Survey, decisions: Mapping[str, Decision]) -> list[Fate]:
    """The dry run: for each step at which somebody stands."""
    stay = Decision("stay")
    return [Fate(each.step, decisions.get(each.step, stay), each.people) for each in seen.standings]


def steps_of_older(slug: str) -> set[str]:
    """Every step of every version but the live one."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT DISTINCT jsonb_object_keys(v.definition -> 'steps')
              FROM workflow_versions v JOIN workflows w ON w.id = v.workflow_id
             WHERE w.slug = %s AND v.id <> w.live_version_id
            """,
            [slug],
        )
        return {key for (key,) in cursor.fetchall()}


# -- plans -------------------------------------------------------------------------------------------------------------


def begin(*, slug: str, to_version: int, decisions: Mapping[str, Decision], by: str, now: datetime) -> EditPlan:
    """Write the plan down and ring for it; call inside a transaction. Decisions are about people who stand somewhere
    when the plan comes to them: who goes on meanwhile is judged by the step they have come to. Raises NotPossible where
    another plan is under way, or where `to_version`, for which they were made, is no longer live."""
    authority.require("workflows.publish_workflow")
    workflow = Workflow.objects.select_for_update(no_key=True).get(slug=slug)
    live = workflow.live_version
    if live is None or workflow.status == "archived":
        raise NotPossible("nothing of this workflow is live, so there is nothing to move to")
    if live.number != to_version:
        raise NotPossible(f"version {live.number} was published meanwhile: look at the plan again")
    try:
        with transaction.atomic():
            plan = EditPlan.objects.create(
                workflow=workflow,
                to_version=live,
                decisions={step: decision.as_dict() for step, decision in decisions.items() if decision.do != "stay"},
                made_by=by,
                made_at=now,
            )
    except IntegrityError as error:
        raise NotPossible("a plan is being carried out: wait until it is done") from error
    after = {"to_version": to_version, "decisions": plan.decisions}
    audit.note("workflow.plan_begun", of=("workflow", slug), name=workflow.name, after=after)
    doorbell.ring_on_commit(BELL, LANE)
    plan.refresh_from_db(fields=["public_id"])
    return plan


def begin_undoing(*, slug: str, public_id: UUID | str, now: datetime) -> EditPlan:
    """Put back, where they stood, those who have not gone on since; call inside a transaction. Who left stays away.
    Raises EditPlan.DoesNotExist, NotPossible."""
    authority.require("workflows.publish_workflow")
    Workflow.objects.select_for_update(no_key=True).get(slug=slug)
    plan = EditPlan.objects.select_for_update().get(workflow__slug=slug, public_id=public_id)
    if plan.state != "applied":
        raise NotPossible("only a plan that was carried out can be undone, and only once")
    if plan.workflow.status == "archived":
        raise NotPossible("an archived workflow has nobody under way")
    plan.state, plan.position, plan.undone_at = "undoing", 0, now
    try:
        with transaction.atomic():
            plan.save(update_fields=["state", "position", "undone_at"])
    except IntegrityError as error:
        raise NotPossible("another plan is being carried out: wait until it is done") from error
    before, after = {"plan": str(plan.public_id), "state": "applied"}, {"plan": str(plan.public_id), "state": "undoing"}
    audit.note("workflow.plan_undone", of=("workflow", slug), name=plan.workflow.name, before=before, after=after)
    doorbell.ring_on_commit(BELL, LANE)
    return plan


def is_work_waiting() -> bool:
    """For the sweep: whether a plan is not done yet."""
    return EditPlan.objects.filter(state__in=["applying", "undoing"]).exists()
