"""Random contacts, events and conditions: the compiled SQL and the plain reading of the contract must agree."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contacts.conditions import compile_condition, parse
from tests.contacts.conditions.asking import EVERYWHERE, add_event, add_tag, make_contact
from tests.contacts.conditions.oracle import World, truth

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)

# Few values, so that they meet: the same ones stand in attributes, properties and conditions.
INSTANTS = [
    "2026-03-04",
    "2026-03-04T12:00:00Z",
    "2026-03-04T12:00:01+00:00",
    "2026-03-03T23:00:00-01:00",
    "2025-12-31",
]
TEXTS = ["", "a", "A", "ab", "aB%", "%", "_", "ä", "Ä", "\\", "5", "true", "null", "2026-02-30", "it's", *INSTANTS]
NUMBERS = [-1, 0, 1, 1.0, 2.5, 5, 10**15]
TYPES = ["bought", "email_opened", "email_clicked"]
SCALARS = [*TEXTS, *NUMBERS, True, False]
MOMENTS = [timedelta(seconds=-1), timedelta(hours=1), timedelta(days=1), timedelta(days=9)]
TAGS = ["vip", "it's"]
WINDOWS = st.sampled_from(["PT1H", "P1D", "P1W", "P90D"])
FIELDS = ["a", "b", "a.k", "attributes.b", "event.a", "event.b.k", "trigger.a", "trigger.type", "trigger.occurred_at"]
TYPED = {
    "email": "text",
    "region": "text",
    "event.type": "text",
    "created_at": "instant",
    "event.occurred_at": "instant",
}
REFERENCES = st.sampled_from(["trigger.a", "trigger.b.k", "trigger.type", "trigger.occurred_at"]).map(
    lambda n: {"ref": n}
)


@st.composite
def comparisons(draw):
    name = draw(st.sampled_from([*FIELDS, *TYPED]))
    kind = TYPED.get(name, "json")
    some = {"text": st.sampled_from(TEXTS[1:]), "instant": st.sampled_from(INSTANTS), "json": st.sampled_from(SCALARS)}[
        kind
    ]
    text, moment = st.sampled_from(TEXTS[1:]), st.sampled_from(INSTANTS)
    table = {"eq ne": some | REFERENCES, "in not_in": st.lists(some, min_size=1, max_size=4), "exists not_exists": None}
    if kind != "instant":
        member = text if kind == "text" else text | st.sampled_from([*NUMBERS, True])
        table |= {"contains not_contains": member | REFERENCES, "starts_with ends_with": text | REFERENCES}
    if kind != "text":
        order = moment if kind == "instant" else moment | st.sampled_from(NUMBERS)
        table |= {"gt gte lt lte": order | REFERENCES, "before after": moment | REFERENCES}
        table |= {"within_last not_within_last": WINDOWS}
    op, values = draw(st.sampled_from([(op, values) for names, values in table.items() for op in names.split()]))
    return {"field": name, "op": op} if values is None else {"field": name, "op": op, "value": draw(values)}


def groups(inner):
    several = st.lists(inner, max_size=3)
    return st.one_of(
        several.map(lambda p: {"all": p}), several.map(lambda p: {"any": p}), inner.map(lambda p: {"not": p})
    )


TAGGED = st.sampled_from(TAGS).map(lambda name: {"has_tag": name})
INSIDE = st.recursive(comparisons() | TAGGED, groups, max_leaves=4)
COUNTS = st.fixed_dictionaries(
    {"event": st.sampled_from(TYPES)},
    optional={
        "op": st.sampled_from(["eq", "ne", "gt", "gte", "lt", "lte"]),
        "count": st.integers(0, 3),
        "within": WINDOWS,
        "where": INSIDE,
    },
)
MESSAGES = st.fixed_dictionaries(
    {"event": st.just("email_opened"), "message": st.fixed_dictionaries({"workflow": st.sampled_from(["a", "ab"])})}
)
CONDITIONS = st.recursive(comparisons() | TAGGED | COUNTS | MESSAGES, groups, max_leaves=8)


def make_worlds(number: int) -> list[tuple[int, World]]:
    """Contacts with events, tags, an event at hand and an entry event, each with the id of its event at hand. Always
    the same ones: what Hypothesis searches are the conditions."""
    rand = random.Random(20260304)

    def value() -> object:
        shape = rand.random()
        if shape < 0.15:
            return [rand.choice([*SCALARS, None]) for _ in range(rand.randint(0, 3))]
        return {"k": rand.choice(SCALARS)} if shape < 0.35 else rand.choice([*SCALARS, None])

    def properties() -> dict:
        some = {"a": value(), "b": value(), "is_machine": rand.choice([True, "true", False, None]), "workflow": "a"}
        return {name: some[name] for name in some if rand.random() < 0.7}

    def ago() -> datetime:
        return NOW - rand.choice([timedelta(0), *MOMENTS])

    worlds = []
    for _ in range(number):
        entry = {"type": rand.choice(TYPES), "occurred_at": rand.choice(INSTANTS), "properties": properties()}
        world = World(
            now=NOW,
            contact={
                "email": rand.choice(TEXTS),
                "region": rand.choice(TEXTS),
                "created_at": ago(),
                "attributes": {name: value() for name in ("a", "b") if rand.random() < 0.8},
            },
            tags={name for name in TAGS if rand.random() < 0.5},
            events=[(rand.choice(TYPES), ago(), rand.random() < 0.7, properties()) for _ in range(rand.randint(0, 8))],
            event=(rand.choice(TYPES), ago(), properties()),
            trigger=entry if rand.random() < 0.8 else {},
        )
        worlds.append((store(world), world))
    return worlds


def store(world: World) -> int:
    contact_id = make_contact(**world.contact)
    for kind, at, processed, properties in world.events:
        add_event(contact_id, kind, at, processed=processed, properties=properties)
    for name in world.tags:
        add_tag(contact_id, name, NOW)
    kind, at, properties = world.event
    return add_event(contact_id, kind, at, processed=False, properties=properties)


def ask(trees: list[dict], worlds: list[tuple[int, World]]) -> dict[int, list[bool | None]]:
    """Every tree of every world, in one statement: answers by the id of the event at hand."""
    compiled = [compile_condition(parse(tree, scope=EVERYWHERE), now=NOW) for tree in trees]
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT e.id, ARRAY[{', '.join(text for text, _ in compiled)}] "
            "FROM unnest(%s::bigint[], %s::jsonb[]) AS t(event_id, trigger) "
            "JOIN contact_events AS e ON e.id = t.event_id JOIN contacts AS c ON c.id = e.contact_id",
            [
                *(param for _, params in compiled for param in params),
                [event_id for event_id, _ in worlds],
                [json.dumps(world.trigger) for _, world in worlds],
            ],
        )
        return dict(cursor.fetchall())


def differences(trees: list[dict], worlds: list[tuple[int, World]]) -> list[tuple[dict, World]]:
    answers = ask(trees, worlds)
    return [
        (tree, world)
        for event_id, world in worlds
        for tree, answer in zip(trees, answers[event_id], strict=True)
        if answer is not truth(tree, world)
    ]


@pytest.fixture
def worlds(db) -> list[tuple[int, World]]:
    return make_worlds(120)


SEARCH = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), database=None)


def several(conditions):
    return st.lists(conditions, min_size=5, max_size=20)


@SEARCH
@given(trees=several(CONDITIONS))
def test_a_compiled_condition_agrees_with_the_plain_reading_of_the_contract(worlds, trees):
    assert differences(trees, worlds) == []


@SEARCH
@given(trees=several(comparisons()))
def test_a_comparison_and_its_negation_agree_with_the_plain_reading_of_the_contract(worlds, trees):
    assert differences([*trees, *({"not": tree} for tree in trees)], worlds) == []


@SEARCH
@given(trees=several(COUNTS | MESSAGES))
def test_counted_events_agree_with_the_plain_reading_of_the_contract(worlds, trees):
    assert differences(trees, worlds) == []
