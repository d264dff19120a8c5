"""Contacts whose marts can be worked out in the head. Each is written through the doors."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from django.db import connection, transaction

from analytics.experiments import outcomes, register
from analytics.models import ExperimentOutcome
from tests import journeys
from workflows.models import Enrolment, ExperimentAssignment

WON = datetime(2026, 3, 31, 12, tzinfo=UTC)
DAY = timedelta(days=1)
_keys = count()


def tell(contact_id: int, type_: str, at: datetime = WON, **properties: Any) -> None:
    """Each its own event, even within a minute."""
    journeys.track(contact_id, type_, properties=properties, occurred_at=at, key=f"{type_}{next(_keys)}")


def touch(contact_id: int, kind: str, before: timedelta) -> None:
    tell(contact_id, "touch_recorded", WON - before, touch_type=kind)


def sell(contact_id: int, amount: float, currency: str | None = "EUR", at: datetime = WON) -> None:
    tell(contact_id, "deal_won", at, amount=amount, **({"currency": currency} if currency else {}))


def paths() -> dict[str, int]:
    """Who converted along which path: name -> contact."""
    named: dict[str, tuple[tuple[str, timedelta], ...]] = {
        "none": (),
        "one": (("call", 3 * DAY),),
        "two": (("call", 14 * DAY), ("email", 7 * DAY)),
        "many": (("call", 21 * DAY), ("email", 14 * DAY), ("webinar", 7 * DAY), ("fair", 0 * DAY)),
        "edges": (
            ("out", 90 * DAY),
            ("first", 90 * DAY - timedelta(seconds=1)),
            ("last", 0 * DAY),
            ("later", timedelta(seconds=-1)),
        ),
        "ties": (("one", 5 * DAY), ("two", 5 * DAY), ("three", 5 * DAY)),
    }
    people = dict(zip(named, journeys.contacts(len(named)), strict=True))
    for name, touches in named.items():
        sell(people[name], 100)
        for kind, before in touches:
            touch(people[name], kind, before)
    return people


def buyers() -> None:
    """Orders in several currencies, of January and later: two buyers who come again, and one who looks."""
    first, second, never = journeys.contacts(3)
    orders = (
        (first, 1, 10, "eur"), (first, 1, 20, "EUR"), (first, 3, 40, "USD"),
        (second, 1, 80, None), (second, 2, 160, "Euro"), (second, 3, 1, "USD"),
    )  # fmt: skip
    for contact_id, month, total, currency in orders:
        said = {"total": total} | ({"currency": currency} if currency else {})
        tell(contact_id, "order_completed", datetime(2025, month, 10, tzinfo=UTC), **said)
    tell(never, "page_viewed")


def watched() -> None:
    """A cohort of June 2025: one clicks, a machine opens for another, of the third we noted something."""
    known = datetime(2025, 6, 5, tzinfo=UTC)
    person, scanner, noted = journeys.contacts(3, created_at=known)
    rows = [
        (person, "email_clicked", '{"is_machine": false}'),
        (scanner, "email_opened", '{"is_machine": true}'),
        (noted, "tag_added", "{}"),
    ]
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO contact_events (contact_id, recorded_contact_id, type, occurred_at, recorded_at, properties,"
            " source, processed, key_hash) VALUES (%s, %s, %s, %s, %s, %s::jsonb, 'own', true, '')",
            [(contact_id, contact_id, type_, known, known, said) for contact_id, type_, said in rows],
        )


def entrants() -> None:
    """Four enter `trial`: two come to be MQLs 30 minutes and 90 minutes later, one was one before, one never is."""
    entry = {"trigger": {"type": "event", "event": "trial_began"}, "re_entry": {"policy": "never"}}
    journeys.publish(journeys.definition({"stop": journeys.step("exit", {})}, slug="trial", entry=entry))
    people = journeys.contacts(4)
    journeys.track(people, "trial_began")
    journeys.run()
    entered = dict(Enrolment.objects.filter(workflow__slug="trial").values_list("contact_id", "entered_at"))
    for contact_id, minutes in zip(people[:3], (30, 90, -60), strict=True):
        tell(contact_id, "stage_reached", entered[contact_id] + timedelta(minutes=minutes), stage="mql")


def experiment(*, now: datetime) -> None:
    """60 contacts, an hour apart, every third converts within hours; at `now` the windows of some are over."""
    variants = [{"key": key, "weight": 50} for key in ("story", "offer")]
    split = journeys.step("experiment", {"story": None, "offer": None}, experiment="hello", variants=variants)
    journeys.publish(journeys.definition({"split": split}, slug="split", exit={"goal": [{"event": "subscribed"}]}))
    with transaction.atomic():
        register.make_missing(now=WON)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT v.id FROM workflow_versions v JOIN workflows w ON w.id = v.workflow_id AND w.slug = 'split'"
        )
        (version,) = cursor.fetchone()
    for place, contact_id in enumerate(journeys.contacts(60)):
        at = WON + timedelta(hours=place)
        ExperimentAssignment.objects.create(
            experiment="hello", contact_id=contact_id, variant=("story", "offer")[place % 2], bucket=1,
            version_id=version, enrolment_id=contact_id, step="split", assigned_at=at,
        )  # fmt: skip
        if place % 3 == 0:
            tell(contact_id, "subscribed", at + timedelta(hours=1 + place % 5))
    with transaction.atomic():
        while outcomes.work(now=now):
            pass
    # one whose window is over, and whom nobody looked at yet: those after them do not count
    waiting = ExperimentOutcome.objects.filter(settled=True).order_by("assigned_at")[12]
    ExperimentOutcome.objects.filter(pk=waiting.pk).update(settled=False, converted_at=None)
