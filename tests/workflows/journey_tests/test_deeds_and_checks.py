"""Every deed and every check once as it should be, and once as it should not."""

from __future__ import annotations

from typing import Any

import pytest

from tests.workflows.journey_tests.playing import ADA, WORKFLOW, at, case, failures, play, signed_up, workflow

pytestmark = pytest.mark.django_db(transaction=True)

WAIT = {"type": "wait", "config": {"mode": "duration", "for": "P1D"}, "next": {"next": None}}
OTHER = {**WORKFLOW, "start": "lead", "steps": {"lead": WORKFLOW["steps"]["lead"]}}
RULES = [
    {"name": "sign-up", "signal": {"event": "signed_up"}, "points": 8, "decay": {"type": "half_life", "period": "P30D"}}
]
FREE = {**WORKFLOW, "settings": {"override_frequency_cap": True}}


def sent(clock: str, template: str = "hello", times: int = 1, contact: str = "ada") -> dict[str, Any]:
    return at(clock, sent={"contact": contact, "template": template, "times": times})


def stands(clock: str, **said: Any) -> dict[str, Any]:
    return at(clock, enrolment={"contact": "ada", **said})


def tagged(clock: str, tag: str, present: bool = True) -> dict[str, Any]:
    return at(clock, tag={"contact": "ada", "tag": tag, "present": present})


def held_back(clock: str, reason: str, template: str = "hello") -> dict[str, Any]:
    return at(clock, suppressed={"contact": "ada", "template": template, "reason": reason})


def hook(clock: str, event: str) -> dict[str, Any]:
    return at(clock, webhook={"contact": "ada", "event": event})


# what -> moments that hold, moments of which the last check does not hold
DEEDS: dict[str, tuple[list[Any], list[Any]]] = {
    "track": ([signed_up(), sent("09:00")], [at("09:00", track={"contact": "ada", "type": "left"}), sent("09:00")]),
    "track with an id twice": (
        [signed_up(event_id="a"), signed_up("12:00", event_id="a"), at("12:00", count={"enrolments": 1})],
        [signed_up(event_id="a"), signed_up("12:00", event_id="b"), at("12:00", count={"enrolments": 1})],
    ),
    "update_contact": (
        [at("09:00", update_contact={"contact": "ada", "attributes": {"x": 1}}), signed_up("10:00"), sent("10:00")],
        [at("09:00", update_contact={"contact": "ada", "email": ""}), signed_up("10:00"), sent("10:00", times=2)],
    ),
    "add_tag": (
        [at("09:00", add_tag={"contact": "ada", "tag": "vip"}), tagged("09:00", "vip")],
        [at("10:00", add_tag={"contact": "ada", "tag": "vip"}), tagged("09:00", "vip")],
    ),
    "suppress": (
        [
            at("09:00", suppress={"contact": "ada", "reason": "manual"}),
            signed_up("10:00"),
            held_back("10:00", "manual"),
        ],
        [
            at("09:00", suppress={"contact": "bob", "reason": "manual"}),
            signed_up("10:00"),
            held_back("10:00", "manual"),
        ],
    ),
    "suppress because of a complaint": (
        [
            at("09:00", suppress={"contact": "ada", "reason": "complaint"}),
            signed_up("10:00"),
            held_back("10:00", "complaint"),
        ],
        [
            at("09:00", suppress={"contact": "ada", "reason": "complaint"}),
            signed_up("10:00"),
            held_back("10:00", "manual"),
        ],
    ),
    "unsubscribe before the first mail": (
        [at("09:00", unsubscribe={"contact": "ada"}), signed_up("10:00"), held_back("10:00", "unsubscribe")],
        [at("10:00", unsubscribe={"contact": "ada"}), signed_up("09:00"), held_back("10:00", "unsubscribe")],
    ),
    "unsubscribe by the link": (
        [signed_up(), at("10:00", unsubscribe={"contact": "ada"}), held_back("11:00", "unsubscribe", "again")],
        [signed_up(), at("12:00", unsubscribe={"contact": "ada"}), held_back("12:00", "unsubscribe", "again")],
    ),
    "consent to marketing": (
        [
            at("09:00", consent={"contact": "ada", "marketing": "denied"}),
            signed_up("10:00"),
            held_back("10:00", "consent"),
        ],
        [
            at("09:00", consent={"contact": "ada", "marketing": "granted"}),
            signed_up("10:00"),
            held_back("10:00", "consent"),
        ],
    ),
    "consent to tracking": (
        [at("09:00", consent={"contact": "ada", "tracking": "denied"}), signed_up("10:00"), sent("10:00", times=0)],
        [at("09:00", consent={"contact": "ada", "tracking": "granted"}), signed_up("10:00"), sent("10:00", times=0)],
    ),
    "enrol": (
        [at("09:00", enrol={"contact": "ada"}), sent("09:00")],
        [at("09:00", enrol={"contact": "bob"}), sent("09:00")],
    ),
    "remove": (
        [
            signed_up(),
            at("10:00", remove={"contact": "ada"}),
            stands("12:00", state="exited", step=None, reason="manually_removed"),
        ],
        [signed_up(), at("10:00", remove={"contact": "ada"}), stands("09:30", state="exited", step=None)],
    ),
    "webhook: a hard bounce": (
        [signed_up(), hook("10:00", "bounce"), held_back("11:00", "hard_bounce", "again")],
        [signed_up(), hook("10:00", "deferred"), held_back("11:00", "hard_bounce", "again")],
    ),
    "webhook: a complaint": (
        [signed_up(), hook("10:00", "spamreport"), held_back("11:00", "complaint", "again")],
        [signed_up(), hook("10:00", "delivered"), held_back("11:00", "complaint", "again")],
    ),
    "publish": (
        [
            signed_up(),
            at("10:00", publish={"definition": OTHER}),
            signed_up("12:00", "bob"),
            sent("12:00", contact="bob", times=0),
        ],
        [
            signed_up(),
            at("12:30", publish={"definition": OTHER}),
            signed_up("12:00", "bob"),
            sent("13:00", contact="bob", times=0),
        ],
    ),
    "tick": (
        [signed_up(), at("11:00", tick=True), sent("11:00", "again")],
        [signed_up(), at("10:59", tick=True), sent("10:59", "again")],
    ),
}

CHECKS: dict[str, tuple[list[Any], list[Any]]] = {
    "sent": ([signed_up(), sent("09:00")], [signed_up(), sent("09:00", times=2)]),
    "not_sent": (
        [signed_up(), at("10:59", not_sent={"contact": "ada", "template": "again"})],
        [signed_up(), at("11:00", not_sent={"contact": "ada", "template": "again"})],
    ),
    "enrolment: state and step": (
        [signed_up(), stands("09:00", state="waiting", step="settle"), stands("11:00", state="completed", step=None)],
        [signed_up(), stands("09:00", state="waiting", step="hello")],
    ),
    "enrolment: nobody": (
        [at("09:00", tick=True), stands("09:00", state=None)],
        [signed_up(), stands("09:00", state=None)],
    ),
    "wake": (
        [
            signed_up(),
            at("09:00", wake={"contact": "ada", "at": "2025-03-03T11:00:00Z"}),
            at("11:00", wake={"contact": "ada", "at": None}),
        ],
        [signed_up(), at("09:00", wake={"contact": "ada", "at": "2025-03-03T11:00:01Z"})],
    ),
    "tag": (
        [signed_up(), tagged("10:00", "welcomed", False), tagged("11:00", "welcomed")],
        [signed_up(), tagged("10:00", "welcomed")],
    ),
    "stage": (
        [
            signed_up(),
            at("09:00", stage={"contact": "ada", "stage": None}),
            at("11:00", stage={"contact": "ada", "stage": "lead"}),
        ],
        [signed_up(), at("11:00", stage={"contact": "ada", "stage": "mql"})],
    ),
    "count": (
        [
            signed_up(),
            signed_up("09:05", "bob"),
            at("10:00", count={"enrolments": 2}),
            at("10:00", count={"enrolments": 1, "contact": "bob"}),
        ],
        [signed_up(), at("10:00", count={"enrolments": 2})],
    ),
}


@pytest.mark.parametrize("name", [*DEEDS, *CHECKS])
def test_it_holds_where_it_should_and_not_where_it_should_not(name: str) -> None:
    good, bad = {**DEEDS, **CHECKS}[name]
    as_it_should, as_it_should_not = play(case(*good, name="good"), case(*bad, name="bad"), workflow=FREE)
    assert failures(as_it_should) == []
    assert not as_it_should_not.passed
    assert not as_it_should_not.error
    assert [each.answer.holds for each in as_it_should_not.checked] == [False]


def test_suppressed_by_the_cap_and_by_nothing_else() -> None:
    """Without the override: two hours after the first mail there is no place for a second."""
    moments = [signed_up(), held_back("11:00", "frequency_cap", "again"), held_back("11:00", "frequency_cap", "hello")]
    (outcome,) = play(case(*moments))
    assert failures(outcome) == ["cases[0].then[1].suppressed: accepted"]


def test_a_score_is_what_the_rules_of_the_file_say_at_that_instant() -> None:
    later = {"at": "2025-04-02T09:00:00Z"}
    (outcome,) = play(
        case(
            signed_up(),
            at("09:00", score={"contact": "ada", "value": 8}),
            {**later, "score": {"contact": "ada", "value": 4.0}},
            {**later, "score": {"contact": "ada", "value": 8}},
        ),
        rules=RULES,
    )
    assert failures(outcome) == ["cases[0].then[2].score: score: 4"]


def test_add_to_list_joins_a_list_that_a_journey_waits_for() -> None:
    joined = at("09:00", add_to_list={"contact": "ada", "list": "newsletter"})
    trigger = {"trigger": {"type": "list_joined", "list": "newsletter"}}
    good, bad = play(
        case(joined, sent("09:00"), name="on the list"),
        case(at("09:00", add_to_list={"contact": "ada", "list": "another"}), sent("09:00"), name="on another"),
        workflow={**WORKFLOW, "entry": trigger},
    )
    assert failures(good) == []
    assert failures(bad) == ["cases[1].then[0].sent: it was sent 0 times (no message of it was made)"]


@pytest.mark.parametrize(("event", "way"), [("open", "yes"), ("delivered", "else")])
def test_an_open_counts_as_human(event: str, way: str) -> None:
    steps = {
        "hello": {"type": "send_email", "config": {"template": "hello"}, "next": {"next": "settle"}},
        "settle": {**WAIT, "next": {"next": "opened"}},
        "opened": {
            "type": "branch",
            "config": {"arms": [{"key": "yes", "if": {"event": "email_opened"}}]},
            "next": {"yes": "yes", "else": "else"},
        },
        "yes": {"type": "add_tag", "config": {"tag": "yes"}, "next": {"next": None}},
        "else": {"type": "add_tag", "config": {"tag": "else"}, "next": {"next": None}},
    }
    moments = [signed_up(), hook("10:00", event), {"at": "2025-03-04T09:00:00Z", "tag": {"contact": "ada", "tag": way}}]
    (outcome,) = play(case(*moments), workflow=workflow(steps))
    assert failures(outcome) == []


def test_the_same_webhook_again_is_a_duplicate_delivery() -> None:
    opened = {"trigger": {"type": "event", "event": "email_clicked"}, "re_entry": {"policy": "every_time"}}
    counter = {**WORKFLOW, "slug": "clicks", "entry": opened, "start": "lead", "steps": OTHER["steps"]}
    moments = [
        at("08:00", publish={"definition": counter}),
        signed_up(),
        hook("09:30", "click"),
        hook("10:00", "click"),
        at("10:30", count={"enrolments": 1, "workflow": "clicks"}),
        hook("11:30", "click"),  # about the mail of eleven o'clock: another message, another click
        at("12:00", count={"enrolments": 2, "workflow": "clicks"}),
    ]
    (outcome,) = play(case(*moments), workflow=FREE)
    assert failures(outcome) == []


def test_the_time_zone_is_taken_as_it_stands() -> None:
    """An unknown one is stored as it is, and the wait falls back to the installation's."""
    steps = {"nine": {"type": "wait", "config": {"mode": "local_time", "at": "09:00"}, "next": {"next": None}}}
    moments = [signed_up(), at("09:00", wake={"contact": "ada", "at": "2025-03-04T09:00:00Z"})]
    (outcome,) = play(case(*moments), workflow=workflow(steps), contacts=[{**ADA, "timezone": "Mars/Olympus"}])
    assert failures(outcome) == []


@pytest.mark.parametrize(
    ("moments", "said"),
    [
        ([hook("09:00", "open")], "no message was sent to ada yet"),
        ([at("09:00", remove={"contact": "ada"})], "ada is not in the journey"),
        ([at("09:00", suppress={"contact": "ada", "reason": "whim"})], "there is no reason 'whim'"),
        ([at("09:00", publish={"definition": {**WORKFLOW, "start": "nowhere"}})], "there is no step 'nowhere'"),
        ([at("09:00", update_contact={"contact": "ada", "email": "no address"})], "email"),
    ],
)
def test_a_deed_that_cannot_be_done_ends_its_case_and_says_why(moments: list[Any], said: str) -> None:
    broken, after = play(
        case(*moments, at("10:00", count={"enrolments": 0})), case(signed_up(), sent("09:00"), name="b")
    )
    assert not broken.passed
    assert said in broken.error
    assert broken.error.startswith("cases[0].when[0].")
    assert after.passed


def test_a_mail_a_day_is_within_a_cap_of_one_a_day() -> None:
    settle = {**WAIT, "next": {"next": "again"}}
    drip = workflow(
        {
            "hello": WORKFLOW["steps"]["hello"],
            "settle": settle,
            "again": {**WORKFLOW["steps"]["again"], "next": {"next": None}},
        }
    )
    the_next_day = {"at": "2025-03-04T09:00:00Z", "sent": {"contact": "ada", "template": "again"}}
    (outcome,) = play(case(signed_up(), sent("09:00"), the_next_day), workflow=drip)
    assert failures(outcome) == []


def test_a_workflow_that_is_entered_and_not_given_ends_at_once_and_one_that_is_published_takes_its_place() -> None:
    leads = workflow({"on": {"type": "enter_workflow", "config": {"workflow": "after"}, "next": {"next": None}}})
    ends = {"contact": "ada", "workflow": "after", "state": "completed", "reason": "completed"}
    waits = {"contact": "ada", "workflow": "after", "state": "waiting", "step": "wait"}
    given = workflow({"wait": WAIT}, slug="after", entry={"trigger": {"type": "api"}})
    first = case(signed_up(), at("09:00", enrolment=ends), name="stand-in")
    publish = at("08:00", publish={"definition": given})
    second = case(publish, signed_up(), at("09:00", enrolment=waits), name="given")
    assert [failures(outcome) for outcome in play(first, second, workflow=leads)] == [[], []]
