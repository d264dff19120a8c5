"""Whatever is done to whatever draft: no loop comes of it, no step gets lost unsaid, and all can be taken back."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contacts import clock
from tests.workflows.builder.mistaken import drafts
from tests.workflows.builder.scribbled import scribbled
from workflows import publishing, revisions
from workflows.builder import ports
from workflows.builder.layout.graph import TRIGGER
from workflows.builder.operations import connecting, copying, inserting, moving, removing
from workflows.builder.operations.change import Change, Refused, below, leads_of
from workflows.models import Workflow

KINDS = ("wait", "branch", "experiment", "exit")
sound = st.builds(lambda seed, deeds: scribbled(seed, deeds=deeds), st.integers(0, 10**6), st.integers(2, 30))


def arms(draft: Mapping[str, Any]) -> list[tuple[str, str]]:
    ways = [(key, port) for key, step in ports.steps_of(draft).items() for port, _ in ports.ways(step)]
    return [(TRIGGER, "start"), *ways]


def deed(data: Any, draft: Mapping[str, Any]) -> Change | None:
    """Any operation anywhere; None where it was refused."""
    steps = list(ports.steps_of(draft)) or ["a"]
    (step, port), other = data.draw(st.sampled_from(arms(draft))), data.draw(st.sampled_from(steps))
    what = data.draw(st.sampled_from(["insert", "above", "join", "end", "remove", "keep", "move", "over", "twice"]))
    kind = data.draw(st.sampled_from(KINDS))
    try:
        match what:
            case "insert":
                return inserting.on_arm(draft, step=step, port=port, kind=kind)
            case "above":
                return inserting.above(draft, step=other, kind=kind)
            case "join":
                return connecting.join(draft, step=step, port=port, target=other)
            case "end":
                return connecting.end(draft, step=step, port=port)
            case "remove":
                return removing.remove(draft, step=other)
            case "keep":
                return removing.remove(draft, step=step, keep=port)
            case "move":
                return moving.move(draft, step=other, target_step=step, target_port=port)
            case "over":
                return moving.move_above(draft, step=other, target=data.draw(st.sampled_from(steps)))
            case _:
                return copying.duplicate(draft, step=other)
    except Refused:
        return None


def in_circles(draft: Mapping[str, Any]) -> set[str]:
    """The steps that lead back to themselves."""
    leads = leads_of(draft)
    return {key for key in leads if key in below(leads, [to for _, to in leads[key] if to is not None])}


def holds(before: Mapping[str, Any], made: Change) -> None:
    after = made.definition
    was, now = before["steps"], after["steps"]
    assert was.keys() - now.keys() == set(made.gone)
    circles = in_circles(before)
    rest = {**after, "steps": {key: step for key, step in now.items() if key not in circles}}
    assert not in_circles(rest), "every loop goes through a step that was on one"
    for key in ports.steps_of(after):
        step, old = now[key], was.get(key)
        if step != old:
            assert set(step["next"]) == set(ports.ports(step)), "a step that was touched names all its ways"
        named = {to for to in (step.get("next") or {}).values() if isinstance(to, str)} if step != old else set()
        assert not named & set(made.gone), "a way to a step that is gone"


@pytest.mark.parametrize("kind", [sound, drafts()], ids=["sound", "mistaken"])
def test_no_deed_makes_a_loop_or_loses_a_step_that_it_does_not_name(kind):
    @settings(max_examples=100, deadline=None)
    @given(st.data())
    def everything(data: Any) -> None:
        draft = data.draw(kind)
        for _ in range(5):
            before = copy.deepcopy(draft)
            made = deed(data, draft)
            assert draft == before, "the draft that was given is as it was"
            if made is not None:
                holds(before, made)
                draft = made.definition

    everything()


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_moving_loses_nobody_on_the_way(data):
    draft = data.draw(sound)
    steps = list(draft["steps"])
    if not steps:
        return
    step, (target, port) = data.draw(st.sampled_from(steps)), data.draw(st.sampled_from(arms(draft)))
    try:
        made = moving.move(draft, step=step, target_step=target, target_port=port)
    except Refused:
        return
    reached = below(leads_of(draft), [draft["start"]] if draft["start"] else [])
    still = below(leads_of(made.definition), [made.definition["start"]] if made.definition["start"] else [])
    assert draft["steps"].keys() == made.definition["steps"].keys()
    if target == TRIGGER or target in reached:  # else the moved steps now stand beside the journey
        assert reached <= still
    for key, given_ in draft["steps"].items():
        assert {**given_, "next": 0} == {**made.definition["steps"][key], "next": 0}


@settings(max_examples=100, deadline=None)
@given(st.one_of(sound, drafts()), st.data())
def test_what_is_offered_can_be_done_and_nothing_else(draft, data):
    places = ports.steps_of(draft)
    for step, port in arms(draft):
        if not isinstance(places.get(step, {}), dict):
            continue
        offered = {each.target: each.lost for each in connecting.onward(draft, step=step, port=port)}
        for target, lost in offered.items():
            made = (
                connecting.end(draft, step=step, port=port)
                if target is None
                else connecting.join(draft, step=step, port=port, target=target)
            )
            assert made.gone == lost
        for target in places.keys() - offered.keys() - set(connecting.joinable(draft, step=step)):
            with pytest.raises(Refused):
                connecting.join(draft, step=step, port=port, target=target)
    for step in data.draw(st.sets(st.sampled_from(sorted(places)), max_size=2)) if places else ():
        if not isinstance(places[step], dict):
            continue
        found = moving.places(draft, step=step)
        for target, port in arms(draft):
            try:
                made = moving.move(draft, step=step, target_step=target, target_port=port)
            except Refused:
                assert (target, port) not in found.arms
            else:
                assert ((target, port) in found.arms) == (not made.said.endswith("stays where it is"))
        for target in found.above:
            assert moving.move_above(draft, step=step, target=target).definition["steps"].keys() == places.keys() | (
                draft["steps"].keys()
            )


@pytest.mark.django_db
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_undo_brings_back_the_exact_draft_and_redo_the_change(data):
    Workflow.objects.all().delete()
    draft = {**data.draw(sound), "name": "By chance", "slug": "by-chance"}
    workflow = publishing.save_draft(definition=draft, now=clock.now(), by="maya")
    stages = [Workflow.objects.get().draft]
    for _ in range(5):
        made = deed(data, stages[-1])
        if made is not None and made.definition != stages[-1]:
            publishing.save_draft(definition=made.definition, now=clock.now(), by="maya", what=made.said)
            stages.append(Workflow.objects.get().draft)
    for wanted in stages[-2::-1]:
        revisions.undo(revisions.held(workflow.pk), by="ola", now=clock.now())
        assert Workflow.objects.get().draft == wanted
    for wanted in stages[1:]:
        revisions.redo(revisions.held(workflow.pk), by="maya", now=clock.now())
        assert Workflow.objects.get().draft == wanted
