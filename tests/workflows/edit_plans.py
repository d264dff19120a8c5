"""Edit plans in a call: people under way in a journey, decisions, carried out and undone to the end."""

from __future__ import annotations

from django.db import transaction

from analytics.counting import books
from contacts import clock
from tests import journeys
from tests.journeys import definition, step
from workflows.editing import edit_moves, edit_plan
from workflows.models import EditPlan

STEPS = {
    "hello": step("add_tag", {"next": "pause"}, tag="hello"),
    "pause": step("wait", {"next": "then"}, mode="duration", **{"for": "P3D"}),
    "then": step("add_tag", {"next": "rest"}, tag="then"),
    "rest": step("wait", {"next": "bye"}, mode="duration", **{"for": "P1D"}),
    "bye": step("add_tag", tag="bye"),
}


def changed(**steps):
    """The definition with steps replaced, or taken out by None."""
    kept = {key: value for key, value in {**STEPS, **steps}.items() if value is not None}
    return definition(kept)


def enter(count: int = 3, document=None) -> list[int]:
    journeys.publish(document or definition(STEPS))
    ids = journeys.contacts(count)
    journeys.track(ids, "signed_up")
    journeys.run()
    return ids


def carry_out(decisions, *, slug="journey", limit=1000) -> EditPlan:
    seen = edit_plan.survey(slug)
    read = edit_plan.read_decisions(decisions, seen, known=edit_plan.steps_of_older(slug))
    with transaction.atomic():
        plan = edit_plan.begin(slug=slug, to_version=seen.to_version, decisions=read, by="maya", now=clock.now())
    return work_off(plan, limit=limit)


def undo(plan: EditPlan, *, limit=1000) -> EditPlan:
    with transaction.atomic():
        edit_plan.begin_undoing(slug="journey", public_id=plan.public_id, now=clock.now())
    return work_off(plan, limit=limit)


def work_off(plan: EditPlan, *, limit) -> EditPlan:
    for _ in range(100):
        with transaction.atomic():
            if edit_moves.carry_on(plan.pk, now=clock.now(), limit=limit) is None:
                break
    plan.refresh_from_db()
    return plan


def balanced() -> list:
    return [book for book in books.balance() if not book.balanced]


def numbers(contact_ids) -> list[int]:
    return [journeys.enrolment(contact_id).version.number for contact_id in contact_ids]
