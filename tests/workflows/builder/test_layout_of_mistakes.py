"""Whatever stands in a draft is drawn: a text editor and an API may have written it."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.workflows.builder.scribbled import scribbled
from tests.workflows.builder.test_layout_by_chance import faults
from workflows.builder.layout.drawing import draw
from workflows.builder.layout.graph import TRIGGER
from workflows.builder.picture import picture


def step(kind: Any = "wait", config: Any = None, **ways: Any) -> dict[str, Any]:
    return {
        "type": kind,
        "name": "",
        "config": {"mode": "duration", "for": "P1D"} if config is None else config,
        "next": ways,
    }


def draft(start: Any = "a", **steps: Any) -> dict[str, Any]:
    return {"start": start, "steps": steps}


def stops(definition: dict[str, Any]) -> dict[str, str]:
    return {stop.end.stub.arm.step: stop.words for stop in picture(definition).stops}


def test_a_way_back_to_an_earlier_step_ends_with_its_name():
    loop = draft(a={**step(next="b"), "name": "First"}, b=step(next="a"))
    assert stops(loop) == {"b": "To “First”"}
    assert [stop.astray for stop in picture(loop).stops] == [True]


def test_a_step_that_leads_to_itself_stands_once():
    assert [card.key for card in draw(draft(a=step(next="a"))).cards] == [TRIGGER, "a"]


def test_a_step_that_is_not_there_is_named_where_the_line_ends():
    assert stops(draft(a=step(next="nowhere"))) == {"a": "To “nowhere”, which is not there"}


def test_an_end_is_no_mistake():
    (stop,) = picture(draft(a=step(next=None))).stops
    assert (stop.words, stop.astray) == ("End", False)


def test_what_nothing_leads_to_stands_apart_to_the_right_each_piece_once():
    drawing = draw(draft(a=step(next=None), x=step(next="y"), y=step(next="a"), z=step(next="z")))
    where = {card.key: card for card in drawing.cards}
    assert {key for key, card in where.items() if card.apart} == {"x", "y", "z"}
    assert min(where[key].x for key in "xyz") > where["a"].x + 272
    assert faults(drawing) == []


def test_without_a_beginning_the_trigger_stands_alone_and_the_steps_apart():
    drawing = draw(draft(start=None, a=step(next=None)))
    assert [(card.key, card.apart) for card in drawing.cards] == [(TRIGGER, False), ("a", True)]


def test_a_kind_that_nobody_knows_keeps_its_ways_and_says_so():
    shown = picture(draft(a=step("teleport", {"to": "Mars"}, up="b", down=None), b=step(next=None)))
    face = shown.faces[1]
    assert (face.kind, face.sentence) == ("Unknown step “teleport”", "Step of the kind “teleport”: to “Mars”")
    assert [(way.line.arm.port, way.caption) for way in shown.ways if way.line.arm.step == "a"] == [
        ("up", "up"),
        ("down", "down"),
    ]


def test_the_arms_of_a_branch_whose_settings_do_not_read_are_all_drawn():
    config = {"arms": [{"key": "gold", "if": {"nonsense": 1}}, "what", {"if": None}, {"key": "silver"}]}
    shown = picture(draft(a=step("branch", config, gold="b", silver=None, **{"else": None}), b=step(next=None)))
    assert {way.line.arm.port for way in shown.ways if way.line.arm.step == "a"} >= {"gold", "silver", "else"}


@pytest.mark.parametrize(
    "definition",
    [
        {},
        {"steps": None, "start": 7},
        {"steps": [], "start": ["a"]},
        {"steps": {"a": None, "b": 4, "c": "text", "d": []}, "start": "a"},
        {
            "steps": {"a": {"type": None, "next": ["b"]}, "b": {"type": ["wait"], "next": {"next": {"x": 1}}}},
            "start": "a",
        },
        {"steps": {"a": {"type": "wait", "config": "soon", "next": {"next": 5, "other": "a"}}}, "start": "a"},
        {"steps": {"Not a key": {"type": "wait"}, 5: {}, "a": {}}, "start": "Not a key"},
        {"steps": {"a": {"type": "experiment", "config": {"variants": 3}, "next": {}}}, "start": "a", "entry": "x"},
    ],
)
def test_a_draft_that_is_hardly_one_is_drawn_all_the_same(definition):
    shown = picture(definition)
    assert shown.faces[0].key == TRIGGER
    assert faults(shown.drawing) == []


@pytest.mark.parametrize("seed", range(150))
def test_a_journey_that_somebody_broke_at_random_is_drawn_whole(seed):
    """Ways lead anywhere, kinds and settings are spoilt; every step is still there, once, and the map can be read."""
    chance = random.Random(seed)
    definition = scribbled(seed, deeds=12 + seed % 30)
    keys = list(definition["steps"])
    for each in definition["steps"].values():
        for port in each["next"]:
            if chance.random() < 0.3:
                each["next"][port] = chance.choice([*keys, "nowhere", None, 3])
        if chance.random() < 0.15:
            each["type"] = chance.choice(["teleport", "exit", "branch", None])
        if chance.random() < 0.15:
            each["config"] = chance.choice([{}, {"arms": 3}, None, {"variants": [{}]}])
    drawing = picture(definition).drawing
    assert faults(drawing) == []
    assert sorted(card.key for card in drawing.cards) == sorted([TRIGGER, *keys])
