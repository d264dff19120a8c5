"""Definitions of any size are answered with clear problems at their places, and at a cost that grows with the size."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests import journeys
from tests.journeys import definition, step
from workflows import importing, publishing
from workflows.definition import limits, reading
from workflows.definition.diff import diff
from workflows.definition.schema import STEP_LIMIT
from workflows.definition.sentences import sentences
from workflows.definition.validation import validate
from workflows.definition.writing import as_yaml
from workflows.models import Workflow

pytestmark = pytest.mark.django_db


def chain(count: int, *, last: str | None = None) -> dict[str, Any]:
    steps = {f"s{n}": step("add_tag", {"next": f"s{n + 1}"}, tag="t") for n in range(count - 1)}
    return definition({**steps, f"s{count - 1}": step("add_tag", {"next": last}, tag="t")})


def dense(count: int) -> dict[str, Any]:
    """Each step leads to the twenty after it."""
    arms = [{"key": f"a{n}", "if": {"has_tag": "t"}} for n in range(20)]
    steps = {
        f"s{n}": step(
            "branch",
            {**{f"a{k}": f"s{n + k + 1}" if n + k + 1 < count else None for k in range(20)}, "else": None},
            arms=arms,
        )
        for n in range(count)
    }
    return definition(steps)


def arms(count: int) -> dict[str, Any]:
    ways = [f"a{n}" for n in range(count)]
    config = [{"key": way, "if": {"has_tag": "t"}} for way in ways]
    return definition({"split": step("branch", {**dict.fromkeys(ways), "else": None}, arms=config)})


def deep(levels: int) -> dict[str, Any]:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return definition({"a": step("add_tag", tag=value)})


def told(document: Any) -> list[tuple[str | None, str, str]]:
    return [(problem.step, problem.field, problem.code) for problem in validate(document)]


@pytest.mark.parametrize(
    ("document", "problems"),
    [
        (chain(STEP_LIMIT), []),
        (chain(STEP_LIMIT + 1), [(None, "steps", "too_many")]),
        (chain(1000), [(None, "steps", "too_many")]),
        (chain(3000, last="s0"), [(None, "steps", "too_many")]),
        (chain(STEP_LIMIT, last="s0"), [("s0", "next", "cycle")]),
        (dense(STEP_LIMIT), []),
        (arms(20), []),
        (arms(1000), [("split", "config.arms", "bad_config")]),
        (arms(2000), [(None, "steps.split.next", "too_wide")]),
        (definition({"a": step("teleport")}), [("a", "type", "unknown_type")]),
        (definition({"a": step("add_tag", {"next": "gone"}, tag="t")}), [("a", "next.next", "dangling_next")]),
        (definition({"a": step("add_tag", tag="x" * 1_000_001)}), [(None, "steps.a.config.tag", "too_long")]),
        (definition({f"s{n}": step("add_tag", tag="x" * 10_000) for n in range(150)}), [(None, "", "too_large")]),
        ({**chain(1), **{f"x{n}": 1 for n in range(3000)}}, [(None, "", "too_wide")]),
        (definition({"a": step("add_tag", tag=[0] * 200_001)}), [(None, "", "too_large")]),
    ],
)  # fmt: skip
def test_what_is_too_much_is_one_clear_problem_at_its_place(document, problems):
    assert told(document) == problems


def test_what_is_too_deep_is_told_and_not_walked():
    (problem,) = validate(deep(100_000))
    assert problem.code == "too_deep" and problem.field.startswith("steps.a.config.tag.0.0")
    assert told(deep(40)) == [("a", "config.tag", "bad_config")]


def test_of_a_great_many_problems_the_first_are_told_and_the_others_counted():
    document = definition({f"s{n}": step("add_tag", {f"p{k}": None for k in range(10)}, tag="t") for n in range(100)})
    problems = validate(document)
    assert len(problems) == limits.PROBLEMS + 1
    assert problems[-1].code == "more" and "more problems" in problems[-1].message


def test_a_loop_is_named_in_its_order():
    steps = {
        "in": step("add_tag", {"next": "b"}, tag="t"), "b": step("add_tag", {"next": "c"}, tag="t"),
        "c": step("branch", {"on": "a", "else": None}, arms=[{"key": "on", "if": {"has_tag": "x"}}]),
        "a": step("add_tag", {"next": "b"}, tag="t"),
    }  # fmt: skip
    (problem,) = [each for each in validate(definition(steps)) if each.code == "cycle"]
    assert problem.step == "a" and "a → b → c → a" in problem.message


def test_a_step_that_leads_to_itself_is_a_loop():
    assert ("a", "next", "cycle") in told(definition({"a": step("add_tag", {"next": "a"}, tag="t")}))


def test_what_yaml_repeats_without_end_is_refused_and_not_unfolded():
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True):
        bomb += f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    text = f"{bomb}slug: bomb\nschema: 1\n"
    with pytest.raises(importing.BadDocument, match="values"):
        importing.import_document(reading.read(text), by="", publish=False, now=None)
    loop = reading.read("slug: loop\nsteps: &s\n  again: *s\n")
    with pytest.raises(importing.BadDocument, match="deep"):
        importing.import_document(loop, by="", publish=False, now=None)


@pytest.mark.parametrize(
    "value", [".inf", "1e999", "99999999999999999999999999", '"\\ud800"', '"\\0"', "1" * 5000]
)  # fmt: skip
def test_what_json_cannot_hold_is_read_as_text_or_refused_and_never_breaks_the_import(value, now):
    text = f"slug: odd\nschema: 1\nname: {value}\n"
    try:
        importing.import_document(reading.read(text), by="", publish=False, now=now)
    except (importing.BadDocument, reading.UnreadableFile):
        assert not Workflow.objects.exists()
    else:
        assert isinstance(Workflow.objects.get().draft["name"], str)


def _calls(work: Callable[[], Any]) -> int:
    """How many functions were called, in Python and below: a measure of the work that no machine changes."""
    count = 0

    def note(frame: Any, event: str, arg: Any) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


def _loops(count: int) -> dict[str, Any]:
    """A long way behind a loop, in the order that is worst for whoever drops dead ends one after the other."""
    ways = {
        f"s{n}": step("add_tag", {"next": f"s{n + 1}" if n + 1 < count else None}, tag="t") for n in range(1, count)
    }
    loop = step("branch", {"on": "s0", "else": "s1"}, arms=[{"key": "on", "if": {"has_tag": "x"}}])
    return {**definition({"s0": loop, **ways}), "start": "s0"}


@pytest.mark.parametrize("make", [chain, dense, _loops])
@pytest.mark.parametrize("work", [validate, sentences, as_yaml, lambda document: diff({}, document)])
def test_twice_the_steps_is_about_twice_the_work(make, work):
    small, large = make(STEP_LIMIT // 4), make(STEP_LIMIT)
    work(small)  # what is loaded once is loaded
    ratio = _calls(lambda: work(large)) / _calls(lambda: work(small))
    assert ratio < 6  # four times the steps; sixteen times the work would be quadratic


def test_a_draft_may_have_too_many_steps_and_is_not_published(now):
    publishing.save_draft(definition={**chain(1000), "slug": "long"}, now=now)
    with pytest.raises(publishing.CannotPublish) as caught:
        publishing.publish(slug="long", by="", now=now)
    assert [problem.code for problem in caught.value.problems] == ["too_many"]


def test_the_largest_definition_is_published_and_run(now):
    journeys.publish(dense(STEP_LIMIT))
    assert Workflow.objects.get().live_version.number == 1
