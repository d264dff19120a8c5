"""A world of post: several workflows write to the same few people from both lanes, by a provider that loses answers,
while they unsubscribe, withdraw their consent and are reported on, and everybody is late now and then."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import transaction
from django.test import override_settings

from contacts import clock, consent, doorbell, events, transactions
from contacts.consent import Consent
from contacts.models import Contact
from delivery import addresses, suppression
from delivery import sweep as post_office
from delivery.authoring import templates
from delivery.models import WebhookDelivery
from tests.simulation.baton import Job
from tests.simulation.play import Play
from tests.simulation.virtual import BEGINNING
from tests.workflows.random_journeys.ways import End, Row, fault_in
from workflows import publishing, sweep

PEOPLE = 3
TRIGGER, TEMPLATE = "post began", "mail"
DUE = f"""
    SELECT min(wake_at), 'workflows.advance', lane FROM workflow_enrolments
     WHERE state IN ('pending', 'active', 'waiting') GROUP BY lane
     UNION ALL
    SELECT min(wake_at), 'workflows.admit', lane FROM workflow_enrolments
     WHERE state IN ('pending', 'active', 'waiting') AND wake_at <= '{{now}}' GROUP BY lane
     UNION ALL
    SELECT min(due_at), 'delivery.deliver', 'delivery_' || lane FROM outbox
     WHERE state = 'queued' AND due_at > '{{now}}' GROUP BY lane
     UNION ALL
    SELECT min(lease_until) + interval '{settings.ESP_TIMEOUT_SECONDS + 1} s', 'delivery.sweep', 'housekeeping'
      FROM outbox WHERE state = 'sending'
"""
SWEEP = ("delivery.sweep", "housekeeping")
BELLS = (
    ("workflows.advance", "urgent"),
    ("workflows.advance", "bulk"),
    ("delivery.deliver", "delivery_urgent"),
    ("delivery.deliver", "delivery_bulk"),
    SWEEP,
)


@dataclass
class Acknowledged:
    """From `place` on nobody may be written to at these addresses."""

    closed: dict[str, int] = field(default_factory=dict)


def perform(play: Play) -> None:
    dice = play.dice
    play.sweeps = (sweep.ring_where_work_waits, post_office.ring_where_work_waits)
    # Either many leave, or mails from both lanes to the same person wait together: of who leaves no cap is asked.
    is_line = dice.random() < 0.5
    cap = 1 if is_line else dice.choice([1, 2])
    with override_settings(FREQUENCY_CAP_PER_DAY=cap, EMAIL_PROVIDER="sandbox"):
        people = _arrive()
        # Two who write down the same new address wait for each other there, and no longer at the contact.
        known = {address for _, address in people if dice.random() < (0.9 if is_line else 0.5)}
        with transaction.atomic():
            addresses.rows(channel="email", given=known, now=clock.now())
        documents = [_definition(play, number) for number in range(2)]
        _furnish(documents)
        play.stage.bells.clear()
        acknowledged = Acknowledged()
        play.pauses = dice.choice([1, 3, 6, 9])
        play.backlog = "delivery." if is_line else ""
        leaving = [person for person in people if dice.random() < (0.2 if is_line else 0.8)]
        play.surprises = [_farewell(play, acknowledged, *person) for person in leaving]
        for number in range(dice.randint(1, 3)):
            at = BEGINNING + timedelta(minutes=1 + 7 * number)
            _pass_time(play, at)
            jobs = [_begin(person, number) for person, _ in people for _ in range(dice.choice([0, 1, 1, 2]))]
            play.settle([*jobs, *_reports(play)])
            play.ring(SWEEP)
        _pass_time(play, play.time.at + timedelta(hours=2))
        left, play.surprises = play.surprises, []
        play.settle([*_reports(play), *left])
        play.calm()
        play.ring(SWEEP)
        play.settle(_reports(play))
        _pass_time(play, play.time.at + timedelta(hours=30))
        play.ring(*BELLS)
        play.settle()
        _judge(play, documents, people, acknowledged, cap)


# -- what there is -----------------------------------------------------------------------------------------------------
def _arrive() -> list[tuple[int, str]]:
    known = [(f"person-{n}@example.com", f"person-{n}") for n in range(PEOPLE)]
    made = [Contact(email=email, external_id=own, created_at=BEGINNING, updated_at=BEGINNING) for email, own in known]
    return [(contact.pk, contact.email) for contact in Contact.objects.bulk_create(made)]


def _definition(play: Play, number: int) -> dict[str, Any]:
    steps: dict[str, Any] = {}
    places: dict[str, Any] = {"concurrency_cap": 1} if play.dice.random() < 0.5 else {}
    for mail in range(play.dice.randint(1, 2)):
        wait = f"PT{play.dice.choice([1, 10, 40])}M"
        steps[f"mail{mail}"] = {"type": "send_email", "config": {"template": TEMPLATE}, "next": {"next": f"wait{mail}"}}
        steps[f"wait{mail}"] = {"type": "wait", "config": {"mode": "duration", "for": wait}, "next": {"next": None}}
        if mail:
            steps["wait0"]["next"]["next"] = "mail1"
    return {
        "schema": 1,
        "name": f"Post {number}",
        "slug": f"post-{number}",
        "entry": {"trigger": {"type": "event", "event": TRIGGER}, "re_entry": {"policy": "never"}},
        "settings": {"lane": ("urgent", "bulk")[number], **places},
        "start": "mail0",
        "steps": steps,
    }


def _furnish(documents: Sequence[Mapping[str, Any]]) -> None:
    html = "<p>News</p><p><a href='{{unsubscribe_url}}'>No more</a></p>"
    with transaction.atomic():
        templates.save_version(slug=TEMPLATE, name="Mail", subject="News", html=html, now=clock.now())
    for document in documents:
        _publish(document)


def _publish(document: Mapping[str, Any]) -> None:
    transactions.run(lambda now: publishing.save_draft(definition=dict(document), now=now))
    transactions.run(lambda now: publishing.publish(slug=document["slug"], by="test", now=now))


# -- what happens ------------------------------------------------------------------------------------------------------
def _begin(contact_id: int, number: int) -> Job:
    def work(now: Any) -> None:
        key = f"{contact_id}-{number}"
        event = events.NewEvent(type=TRIGGER, occurred_at=now, contact=contact_id, properties={}, context={}, key=key)
        events.record_batch([event], source="api", now=now)

    return Job(f"track {contact_id}-{number}", partial(transactions.run, work), is_repeated=True)


def _farewell(play: Play, acknowledged: Acknowledged, contact_id: int, address: str) -> Job:
    """Either way out, and asked for until it is answered; with the answer no more mail begins."""

    def note() -> None:
        acknowledged.closed.setdefault(address, play.stage.esp.notice())
        play.say(f"acknowledged {address}")

    def unsubscribe() -> None:
        suppression.suppress(
            channel="email",
            address=address,
            scope="email",
            reason="unsubscribe",
            source="page",
            now=transactions.run(lambda now: now),
        )

    def withdraw() -> None:
        said = [Consent(contact_id, "marketing", "denied")]
        transactions.run(lambda now: consent.record(said, source="api", now=now))

    name, work = play.dice.choice([("unsubscribe", unsubscribe), ("withdraw", withdraw)])
    return Job(f"{name} {address}", work, is_repeated=True, then=note, about=contact_id)


def _reports(play: Play) -> list[Job]:
    """The provider knocks with whatever it has to tell, in any order, and again until it is answered."""
    bodies, play.stage.esp.reports = play.stage.esp.reports, []
    play.dice.shuffle(bodies)
    return [Job("report", partial(transactions.run, partial(_knock, body)), is_repeated=True) for body in bodies]


def _knock(body: bytes, now: Any) -> None:
    WebhookDelivery.objects.create(provider="sandbox", body=body, received_at=now)
    doorbell.ring_on_commit("delivery.fold_webhooks", "webhooks")


def _pass_time(play: Play, to: Any) -> None:
    def jobs() -> list[Job]:
        play.ring(*BELLS)  # also where nothing is due: whoever looks meanwhile is whom a missing lock would let through
        return _reports(play)

    play.pass_time(to, comes_due=DUE, jobs=jobs)


# -- what must not be --------------------------------------------------------------------------------------------------
def _judge(
    play: Play,
    documents: Sequence[Mapping[str, Any]],
    people: Sequence[tuple[int, str]],
    acknowledged: Acknowledged,
    cap: int,
) -> None:
    requests = play.stage.esp.requests
    for request in requests:
        if request.place > acknowledged.closed.get(request.address, request.place):
            play.faults.append(f"{request.address} was written to after that was acknowledged to be over")
    asked = Counter(request.mid for request in requests if request.is_taken)
    play.faults += [f"message {mid} was sent {times} times" for mid, times in asked.items() if times > 1]
    taken = Counter(request.address for request in requests if request.is_taken)
    play.faults += [f"{address} got {count} of {cap}" for address, count in taken.items() if count > cap]
    _judge_states(play, set(asked))
    _judge_ways(play, documents, people)


def _judge_states(play: Play, taken: set[str]) -> None:
    """What is said of a message is true of it."""
    rows = play.ask("SELECT m.public_id::text, s.state FROM messages m JOIN message_states s ON s.message_id = m.id")
    for mid, state in rows:
        if (mid in taken) and state not in {"accepted", "undetermined"}:
            play.faults.append(f"message {mid} is {state}, and was taken")
        if mid not in taken and state == "accepted":
            play.faults.append(f"message {mid} is accepted, and was never taken")


def _judge_ways(play: Play, documents: Sequence[Mapping[str, Any]], people: Sequence[tuple[int, str]]) -> None:
    by_slug = {document["slug"]: document for document in documents}
    rows = play.ask(
        "SELECT w.slug, e.contact_id, e.state, e.step, e.seq,"
        " (SELECT json_agg(json_build_array(j.seq, j.step, j.outcome, j.port) ORDER BY j.seq)::text"
        "    FROM workflow_journal j WHERE j.enrolment_id = e.id),"
        " (SELECT count(*) FROM messages m WHERE m.enrolment_id = e.id)"
        " FROM workflow_enrolments e JOIN workflows w ON w.id = e.workflow_id"
    )
    entered = Counter((slug, contact_id) for slug, contact_id, *_ in rows)
    began = {who for (who,) in play.ask("SELECT DISTINCT contact_id FROM contact_events WHERE type = %s", [TRIGGER])}
    for slug in by_slug:
        for contact_id, _ in people:
            expected = int(contact_id in began)
            if entered[slug, contact_id] != expected:
                play.faults.append(
                    f"contact {contact_id} entered {slug} {entered[slug, contact_id]} times, of {expected}"
                )
    for slug, contact_id, state, step, seq, journal, messages in rows:
        way = [Row(*row) for row in json.loads(journal or "[]")]
        if fault := fault_in(by_slug[slug], way, End(state, step, seq)):
            play.faults.append(f"contact {contact_id} in {slug}: {fault}")
        sent = sum(row.step.startswith("mail") and row.outcome == "advanced" for row in way)
        if messages != sent:
            play.faults.append(f"contact {contact_id} in {slug}: {messages} messages of {sent} steps")
