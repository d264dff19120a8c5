"""A form that is opened and saved changes nothing: for any valid settings of any kind of step or trigger, what a
browser sends of the form reads as the settings that it was made of."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from tests.workflows.builder.filled import untouched
from workflows.builder.forms import form
from workflows.steps import registry
from workflows.triggers import registry as triggers

pytestmark = pytest.mark.django_db

LETTERS = st.characters(exclude_categories=("Cs",), exclude_characters="\0")
WORDS = st.one_of(
    st.sampled_from(
        ["welcome", "a b", " edge ", "two\nlines", "\r\n", "<b>&amp;\"'", "{{contact.email}}", "null", "5", "{"]
    ),
    st.text(LETTERS, min_size=1, max_size=12),
)
SLUGS = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,9}", fullmatch=True)
KEYS = st.one_of(
    st.from_regex(r"[A-Za-z0-9_-]{1,12}", fullmatch=True), st.sampled_from(["yes", "VIP", "Opened_it", "_"])
)
NUMBERS = st.one_of(
    st.integers(-(10**18), 10**18),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0, 0.5, 50.0, 1e16]),
)
VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), NUMBERS, st.just(""), WORDS, st.builds(lambda name: {"ref": f"trigger.{name}"}, SLUGS)
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(WORDS, inner, max_size=3)),
    max_leaves=6,
)
CONDITIONS = st.one_of(
    st.just({"all": []}),
    st.builds(lambda field, value: {"field": field, "op": "eq", "value": value}, SLUGS, VALUES),
    st.builds(lambda value: {"any": [{"field": "plan", "op": "eq", "value": value}]}, VALUES),
)
COUNTS = st.integers(0, 400)
DURATIONS = st.one_of(
    st.sampled_from(["P1D", "PT72H", "P2W", "P1DT12H", "P0D", "PT0S", "P007D", "PT90M", "PT36H30M"]),
    st.builds(lambda days, hours, minutes: f"P{days}DT{hours}H{minutes}M", COUNTS, COUNTS, COUNTS),
)
PERIODS = st.one_of(DURATIONS, st.sampled_from(["P1M", "P1Y6M", "P1Y2M3DT4H5M6S"]))
CLOCKS = st.from_regex(r"([01][0-9]|2[0-3]):[0-5][0-9]", fullmatch=True)
INSTANTS = st.sampled_from(
    [
        "2027-01-31T09:00:00Z",
        "2027-01-31T09:00:00+01:00",
        "2027-01-31T09:00-03:30",
        "2027-01-31T09:00:30Z",
        "20270131T0900Z",
    ]
)
RULES = st.sampled_from(
    [
        "FREQ=DAILY;BYHOUR=9;BYMINUTE=0",
        "FREQ=WEEKLY;BYDAY=MO,TH;BYHOUR=18;BYMINUTE=30",
        "FREQ=WEEKLY;BYDAY=TH,MO;BYHOUR=18;BYMINUTE=30",
        "FREQ=MONTHLY;BYMONTHDAY=-1;BYHOUR=09;BYMINUTE=5",
        "FREQ=MONTHLY;BYMONTHDAY=31;BYHOUR=9;BYMINUTE=5",
        "DTSTART:20270101T090000\nRRULE:FREQ=YEARLY",
        "FREQ=HOURLY;INTERVAL=2",
    ]
)


def chosen(**settings: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Those that are named with a last underscore may be left out, or be null or empty where the model allows it."""
    must = {name: each for name, each in settings.items() if not name.endswith("_")}
    may = {name.rstrip("_"): each for name, each in settings.items() if name.endswith("_")}
    return st.fixed_dictionaries(must, optional=may)


def or_null(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.none(), strategy)


ARMS = st.lists(
    st.builds(lambda key, tree: {"key": key, "if": tree}, KEYS, CONDITIONS),
    min_size=1,
    max_size=4,
    unique_by=lambda arm: arm["key"],
)
WEIGHTS = st.one_of(st.integers(0, 1000), st.sampled_from([0.5, 33.3, 1e-7, 1_000_000.0]))
VARIANTS = st.lists(
    st.builds(lambda key, weight: {"key": key, "weight": weight}, KEYS, WEIGHTS),
    min_size=2,
    max_size=4,
    unique_by=lambda each: each["key"],
)
WAITS = st.one_of(
    chosen(mode=st.just("duration"), **{"for": PERIODS}, jitter_=or_null(DURATIONS)),
    chosen(
        mode=st.just("local_time"),
        at=CLOCKS,
        weekday_=or_null(st.sampled_from(["monday", "sunday"])),
        jitter_=or_null(DURATIONS),
    ),
    chosen(mode=st.just("until"), until=INSTANTS),
    chosen(
        mode=st.just("date_attribute"),
        attribute=WORDS,
        offset_=or_null(st.builds(lambda sign, text: sign + text, st.sampled_from(["", "-"]), PERIODS)),
        at_=or_null(CLOCKS),
    ),
)
SENDS = chosen(template=WORDS, topic_=st.one_of(st.just(""), WORDS))
LISTS = chosen(list=WORDS)
STEPS = {
    "send_email": SENDS,
    "send_sms": SENDS,
    "send_push": SENDS,
    "wait": WAITS,
    "wait_for_event": chosen(event=WORDS, timeout=DURATIONS, where_=or_null(CONDITIONS)),
    "wait_for_condition": chosen(timeout=DURATIONS, **{"if": CONDITIONS}),
    "branch": chosen(arms=ARMS),
    "experiment": chosen(experiment=SLUGS, variants=VARIANTS),
    "update_contact": chosen(set=st.dictionaries(WORDS, VALUES, min_size=1, max_size=4)),
    "add_tag": chosen(tag=WORDS),
    "remove_tag": chosen(tag=WORDS),
    "add_to_list": LISTS,
    "remove_from_list": LISTS,
    "change_lifecycle_stage": chosen(to=st.sampled_from(["mql", "customer", "nowhere"])),
    "call_webhook": chosen(
        url=WORDS,
        method_=st.sampled_from(["GET", "POST", "PUT"]),
        headers_=st.dictionaries(WORDS, st.one_of(st.just(""), WORDS), max_size=3),
        body_=VALUES,
        allow_personal_=st.lists(WORDS, max_size=3),
    ),
    "notify_sales": chosen(message=WORDS),
    "emit_event": chosen(type=WORDS, properties_=st.dictionaries(st.one_of(st.just(""), WORDS), VALUES, max_size=3)),
    "enter_workflow": chosen(workflow=SLUGS),
    "goal": chosen(name=WORDS),
    "exit": chosen(reason_=st.from_regex(r"[a-z0-9_]{1,12}", fullmatch=True)),
}
TRIGGERS = {
    "event": chosen(event=WORDS, where_=or_null(CONDITIONS)),
    "form_submitted": chosen(form=WORDS),
    "tag_added": chosen(tag=WORDS),
    "list_joined": chosen(list=WORDS),
    "segment_entered": chosen(segment=WORDS),
    "segment_left": chosen(segment=WORDS),
    "lifecycle_changed": chosen(to=st.sampled_from(["mql", "nowhere"])),
    "score_crossed": chosen(threshold=NUMBERS, direction=st.sampled_from(["up", "down"]), score_=SLUGS),
    "date": chosen(attribute=WORDS, offset_=or_null(PERIODS), at_=or_null(CLOCKS), every_year_=st.booleans()),
    "schedule": chosen(rrule=RULES, segment=WORDS),
    "manual": chosen(),
    "api": chosen(),
}
CHANCE = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def saved_unchanged(model: type[BaseModel], config: dict[str, Any], below: str) -> dict[str, Any]:
    data = untouched(form.fields(model, config, below=below))
    return form.read(model, data, below=below, given=config)


@pytest.mark.parametrize("key", sorted(STEPS))
@CHANCE
@given(data=st.data())
def test_the_settings_of_a_step_survive_their_form(key, data):
    kind = registry.find(key)
    config = data.draw(STEPS[key])
    try:
        kind.Config.model_validate(config)
    except ValidationError:
        return
    assert saved_unchanged(kind.Config, config, "config") == config


@pytest.mark.parametrize("key", sorted(TRIGGERS))
@CHANCE
@given(data=st.data())
def test_the_settings_of_a_trigger_survive_their_form(key, data):
    model = triggers.find(key)
    config = {"type": key, **data.draw(TRIGGERS[key])}
    assert saved_unchanged(model, config, "entry.trigger") == config


@CHANCE
@given(config=st.dictionaries(WORDS, VALUES, max_size=4), key=st.sampled_from(sorted(STEPS)))
def test_settings_that_mean_nothing_to_their_step_survive_its_form(config, key):
    """What is wrong is shown as JSON; only a setting that does not apply to what is chosen goes."""
    assert saved_unchanged(registry.find(key).Config, config, "config") == config


def test_every_kind_of_step_and_trigger_is_tried():
    assert set(STEPS) == set(registry.keys())
    assert set(TRIGGERS) == set(triggers.keys())
