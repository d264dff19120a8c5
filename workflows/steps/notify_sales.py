"""Tell the contact's owner: a task in the admin, and a mail about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from django.conf import settings
from pydantic import Field

from contacts.identifiers import is_email
from delivery import notices
from delivery.authoring.mustache import BadMustache
from delivery.notices import Notice
from workflows.definition import phrases
from workflows.definition.problems import Problem
from workflows.definition.shown import Shown
from workflows.definition.strict import Strict
from workflows.errands import merge_fields, sales, standing
from workflows.errands.merge_fields import Profile
from workflows.errands.sales import NewTask
from workflows.steps.base import Advance, Cohort, Effect, Member, Outcome, StepType

LONGEST = 10_000  # characters of a message, once it is filled


class NotifySalesConfig(Strict):
    """`message` may name what templates may: {{contact.email}}, {{plan}}, {{trigger.total}}; and what sales want to
    know: {{score}}, {{score_reasons}} (the strongest rules in words) and {{lifecycle_stage}}, as they are at the
    step."""

    message: Annotated[
        str,
        Field(min_length=1, max_length=LONGEST),
        Shown(
            "Message",
            control="message",
            help="What to do, for the contact’s owner. It may name {{contact.email}}, {{score}}, {{score_reasons}}, "
            "{{lifecycle_stage}} or what the entry event said: {{trigger.total}}.",
        ),
    ]


@dataclass(frozen=True)
class Tasking:
    task: NewTask

    @classmethod
    def apply(cls, effects: list[Tasking], now: datetime) -> None:
        sales.make([effect.task for effect in effects], now=now)


@dataclass(frozen=True)
class Telling:
    notice: Notice

    @classmethod
    def apply(cls, effects: list[Telling], now: datetime) -> None:
        notices.enqueue([effect.notice for effect in effects], now=now)


class NotifySales(StepType):
    key = "notify_sales"
    label = "Notify sales"
    group, icon = "team", "support_agent"
    hint = "Give the contact’s owner a task"
    Config = NotifySalesConfig

    def problems(self, config: NotifySalesConfig, step: str) -> Iterable[Problem]:
        if fault := merge_fields.fault_in(config.message):
            yield Problem(step, "config.message", "bad_value", fault)

    def sentence(self, config: NotifySalesConfig) -> str:
        return f"Ask the contact's owner to act: {phrases.quoted(config.message)}"

    def run(self, cohort: Cohort, prepared: Any, now: datetime) -> list[Outcome]:
        config: NotifySalesConfig = prepared
        contact_ids = {member.contact_id for member in cohort.members}
        people = merge_fields.profiles(contact_ids)
        known = standing.of(contact_ids, message=config.message, now=now)
        return [
            _one(cohort, member, people[member.contact_id], known.get(member.contact_id, {}), config.message)
            for member in cohort.members
        ]


def _one(cohort: Cohort, member: Member, profile: Profile, known: Mapping[str, str], message: str) -> Outcome:
    try:
        words = merge_fields.filled(message, {**profile.data(member.trigger), **known})[:LONGEST]
    except BadMustache:
        return Advance(detail={"skipped": "render_error"})
    owner = profile.fields["owner_email"].strip()
    task = NewTask(member.enrolment_id, member.seq, member.contact_id, cohort.workflow_id, owner, words)
    effects: tuple[Effect, ...] = (Tasking(task),)
    if not is_email(owner):
        return Advance(detail={"mail": "bad_address" if owner else "no_owner"}, effects=effects)
    who = profile.fields["email"] or profile.fields["external_id"] or f"contact {profile.fields['id']}"
    notice = Notice(
        contact_id=member.contact_id,
        to_address=owner,
        subject=f"Sales task: {who}",
        text=f"{words}\n\n--\n{who}: {settings.PUBLIC_URL}/admin/contacts/contact/{member.contact_id}/change/\n",
        key=f"enrolment:{member.enrolment_id}:{member.seq}",
        lane=cohort.lane,
    )
    return Advance(effects=(*effects, Telling(notice)))
