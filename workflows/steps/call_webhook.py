"""Call somebody's server, wait for the answer, and go on with it: `trigger.webhook.<step>` has `status` and `body`.

The step writes a row, and `webhook_calls` makes the call. A call that fails goes on, too, once it is given up; the
journal says so, and a branch may ask for `trigger.webhook.<step>.status`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import Field

from contacts.collect import strict_json
from delivery.authoring import personal
from workflows.definition import phrases
from workflows.definition.problems import Problem
from workflows.definition.references import reference_problems
from workflows.definition.shown import Shown
from workflows.definition.strict import Strict
from workflows.entry import hops
from workflows.errands import merge_fields, webhook_bodies, webhook_calls
from workflows.errands.merge_fields import Profile
from workflows.errands.webhook_bodies import CannotFill
from workflows.errands.webhook_calls import NewCall, Result
from workflows.steps.base import Advance, Cohort, KeepWaiting, Member, Outcome, StepType, WaitUntil

PATIENCE = timedelta(hours=1)  # then the journey goes on without the answer, whatever the queue is doing
WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


class CallWebhookConfig(Strict):
    """`url` may hold variables in its path and query: {{contact.email}}, {{trigger.order_id}}. `body` is JSON whose
    texts may hold variables, and whose values may be {"ref": "trigger.NAME"}; without one, POST, PUT and PATCH send the
    contact and the entry event. What PERSONAL_ATTRIBUTES marks is sent only where `allow_personal` names it."""

    url: Annotated[
        str,
        Field(min_length=1, max_length=2048),
        Shown("Address", help="It may name {{contact.email}} or {{trigger.order_id}} after the host’s name."),
    ]
    method: Annotated[
        Literal["GET", "POST", "PUT", "PATCH", "DELETE"],
        Shown("Method", choices={each: each for each in ("GET", "POST", "PUT", "PATCH", "DELETE")}),
    ] = "POST"
    headers: Annotated[
        dict[str, Annotated[str, Field(max_length=2000)]],
        Field(max_length=30),
        Shown("Headers", control="headers"),
    ] = {}
    body: Annotated[
        Any,
        Shown(
            "What is sent",
            control="body",
            help="POST, PUT and PATCH send it. Texts may name {{contact.email}}; "
            '{"ref": "trigger.total"} is a value of the entry event.',
        ),
    ] = None
    allow_personal: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=200)]],
        Field(max_length=50),
        Shown(
            "Personal attributes that may be sent",
            control="words",
            help="One a line. What is marked as personal is sent only where it is named here.",
        ),
    ] = []


@dataclass(frozen=True)
class Calling:
    call: NewCall

    @classmethod
    def apply(cls, effects: list[Calling], now: datetime) -> None:
        webhook_calls.enqueue([effect.call for effect in effects], lane=effects[0].call.lane, now=now)


@dataclass(frozen=True)
class GivingUp:
    """The journey goes on without the answer; a call that was not made yet is not made any more."""

    enrolment_id: int
    step: str

    @classmethod
    def apply(cls, effects: list[GivingUp], now: datetime) -> None:
        webhook_calls.give_up([(effect.enrolment_id, effect.step) for effect in effects], now=now)


class CallWebhook(StepType):
    key = "call_webhook"
    label = "Call webhook"
    group, icon = "team", "webhook"
    hint = "Call another system and use its answer"
    Config = CallWebhookConfig

    def problems(self, config: CallWebhookConfig, step: str) -> Iterable[Problem]:
        if fault := webhook_bodies.url_fault(config.url):
            yield Problem(step, "config.url", *fault)
        for name, value in config.headers.items():
            if wrong := webhook_bodies.header_fault(name, value):
                yield Problem(step, f"config.headers.{name}", "bad_value", wrong)
        yield from reference_problems(config.body, step, "config.body")
        for field, wrong in webhook_bodies.body_faults(config.body, "config.body"):
            yield Problem(step, field, "bad_value", wrong)
        for field, text in webhook_bodies.texts(config.url, config.headers, config.body):
            for shown in personal.faults(text, allowed=config.allow_personal):
                yield Problem(step, field, shown.code, shown.msg)
        if unfit := strict_json.fault_in({"body": config.body}, strict_json.DOCUMENT):
            yield Problem(step, ".".join(["config", *map(str, unfit.loc)]), unfit.code, unfit.msg)

    def sentence(self, config: CallWebhookConfig) -> str:
        given = config.model_dump(exclude_unset=True, include={"headers", "body", "allow_personal"})
        with_ = f", with {phrases.settings(given)}" if given else ""
        return f"Call {config.method} {phrases.clipped(config.url)}{with_}, and wait for the answer"

    def run(self, cohort: Cohort, prepared: Any, now: datetime) -> list[Outcome]:
        config: CallWebhookConfig = prepared
        resumed = [member.enrolment_id for member in cohort.members if member.resumed]
        arriving = {member.contact_id for member in cohort.members if not member.resumed}
        results = webhook_calls.results(resumed, cohort.step) if resumed else {}
        people = merge_fields.profiles(arriving) if arriving else {}
        return [
            _answered(cohort, member, results.get(member.enrolment_id), now)
            if member.resumed
            else _call(cohort, member, people[member.contact_id], config, now)
            for member in cohort.members
        ]


def _answered(cohort: Cohort, member: Member, result: Result | None, now: datetime) -> Outcome:
    if result is None:
        return Advance(detail={"failed": "no_call"})
    if result.is_final:
        return Advance(detail=result.detail)
    # who waits for the journey's own rate is not given up: the call is made yet
    give_up_at = (result.turn_at or member.waiting_since or now) + PATIENCE
    if now < give_up_at:
        return KeepWaiting(give_up_at)
    return Advance(detail={"failed": "no_answer_in_time"}, effects=(GivingUp(member.enrolment_id, cohort.step),))


def _call(cohort: Cohort, member: Member, profile: Profile, config: CallWebhookConfig, now: datetime) -> Outcome:
    if hops.onward(member.trigger, cohort.workflow_slug) is None:
        return Advance(detail={"skipped": "loop", "journeys": hops.MOST})
    standard = _standard_body(cohort, member, profile, config, now) if config.method in WITH_BODY else None
    try:
        filled = webhook_bodies.fill(
            url=config.url,
            headers=config.headers,
            body=config.body,
            standard=standard,
            data=profile.data(member.trigger),
            trigger=member.trigger,
        )
    except CannotFill as error:
        return Advance(detail={"failed": str(error)})
    call = NewCall(
        enrolment_id=member.enrolment_id,
        seq=member.seq,
        contact_id=member.contact_id,
        workflow_id=cohort.workflow_id,
        step=cohort.step,
        lane=cohort.lane,
        method=config.method,
        url=filled.url,
        headers={**filled.headers, **hops.header(member.trigger)},
        body=filled.body,
    )
    return WaitUntil(now + PATIENCE, effects=(Calling(call),))


def _standard_body(
    cohort: Cohort, member: Member, profile: Profile, config: CallWebhookConfig, now: datetime
) -> dict[str, Any]:
    fields, attributes = personal.without(profile.fields, profile.attributes, allowed=config.allow_personal)
    return {
        "type": "journey.step_reached",
        "timestamp": now.isoformat(),
        "data": {
            "workflow": cohort.workflow_slug,
            "step": cohort.step,
            "contact": {**fields, "attributes": attributes},
            "trigger": dict(member.trigger),
        },
    }
