"""The installation that `pages.PAGES` goes through: the inhabited one (hostile names and all), a journey that hundreds
are in, and what the pages beside it need to have something to show."""

from __future__ import annotations

import copy
import hashlib
import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from django.contrib.auth.models import Group, User
from django.db import transaction
from django_celery_beat.models import IntervalSchedule, PeriodicTask
from django_otp.plugins.otp_totp.models import TOTPDevice

from analytics.counting import rebuild
from analytics.experiments import outcomes, register
from analytics.models import Alert, Experiment, ReportSubscription
from contacts import opt_in
from contacts.audiences import lists, segments
from contacts.importing import uploads
from contacts.merging import merge
from contacts.models import (
    Contact,
    ContactEvent,
    ImportReject,
    ImportRun,
    List,
    PrivacyDeed,
    QuarantinedEvent,
    Segment,
    Tag,
)
from delivery import recounting, tallies
from delivery.models import EndpointDelivery, PostTally, SandboxMail, SeedAddress, SendingDomain, WebhookDelivery
from delivery.outgoing import endpoints
from delivery.preflight import checking
from delivery.public import unsubscribing
from delivery.rates import warming
from scoring.backtests import asking, running
from scoring.models import LifecycleEvent, Ruleset
from scoring.rulesets import versions
from tests import journeys
from tests.analytics.reports import marts
from tests.browser.visit import PASSWORD
from tests.delivery.test_preflight import Zone
from tests.inhabited import RULES, Inhabited, inhabit, people, series
from tests.inhabited.people import HOSTILE
from tests.workflows.rehearsal import reports
from workflows import publishing
from workflows.models import DeadLetter, Enrolment, EntryRefusal, ExperimentAssignment, SalesTask, Workflow
from workflows.rehearsal.report import Count, Passed, Way

DOMAIN, BRAKED = "news.shop.example", "braked.example"


@dataclass(frozen=True)
class Lively:
    """`ids`: what the addresses of pages need, by the names that `pages.py` uses."""

    town: Inhabited
    series: Workflow
    ids: dict[str, Any]


def settle(*, now: datetime) -> Lively:
    """Some seconds of work. Marts are tables of their own: whoever calls this drops them (`marts.drop`)."""
    town = inhabit(now=now, contacts=36)
    ContactEvent.objects.bulk_create(
        people.event(town.ana, "order_completed", now - timedelta(days=days), {"total": 24 + days, "number_of_cds": 2})
        for days in (2, 9)
    )
    welcome = series.publish(now)
    series.walk(welcome, now=now)
    _change_a_live_journey(town, now)
    ids: dict[str, Any] = {
        "maya": town.superuser.pk,
        "ana": town.ana.pk,
        "mallory": town.mallory.pk,
        "series": welcome.pk,
        "first_order": town.journey.pk,
        "broken": town.broken_draft.pk,
        "accepted": town.accepted.pk,
        "capped": town.capped.pk,
        "suppression": town.suppression.pk,
        "key": town.key.pk,
        "template": town.accepted.template_version.template_id,
        "provider": "sendgrid",
        "tag": Tag.objects.latest("id").pk,
        "event": ContactEvent.objects.latest("id").pk,
        "enrolment": Enrolment.objects.filter(state="failed").earliest("id").pk,
        "refusal": EntryRefusal.objects.earliest("id").pk,
        "dead_letter": DeadLetter.objects.earliest("id").pk,
        "sales_task": SalesTask.objects.filter(done_at=None).earliest("id").pk,
        "sandbox_mail": SandboxMail.objects.latest("id").pk,
        "lifecycle_event": LifecycleEvent.objects.latest("id").pk,
        "unsubscribe": unsubscribing.token_of(str(town.accepted.public_id)),
        "confirm": opt_in.token_of("a nonce"),
        "group": Group.objects.get_or_create(name="Guests")[0].pk,
        "schedule": _schedule(),
        "careful": _careful(),
    }
    ids["rehearsal"] = _rehearsal(welcome, now)
    ids |= _audience(town, now)
    ids |= _measures(now)
    ids |= _scoring(now)
    ids |= _post(now)
    rebuild.replace()
    return Lively(town=town, series=welcome, ids=ids)


def _schedule() -> int:
    every, _ = IntervalSchedule.objects.get_or_create(every=30, period="seconds")
    made = PeriodicTask.objects.create(name="Sweep the timers", task="workflows.sweep", interval=every)
    return int(made.pk)


def _careful() -> int:
    """Otto, whose password alone lets nobody in."""
    otto = User.objects.create_user("otto", password=PASSWORD, is_staff=True)
    TOTPDevice.objects.create(user=otto, name="app", confirmed=True)
    return int(otto.pk)


def _rehearsal(series: Workflow, now: datetime) -> int:
    came = {"hello": (118, 0, 112, 6), "settle": (118, 9, 0, 0), "opened": (102, 0, 0, 0), "tour": (61, 0, 60, 1),
            "again": (41, 0, 38, 3), "pause": (102, 12, 0, 0), "morning": (84, 4, 0, 0),
            "story": (80, 0, 80, 0)}  # fmt: skip
    way = Way("opened", "Opened the hello?", (Count("yes", 61), Count("else", 41)), (59.8, 40.2))
    passed = tuple(Passed(step, *counts) for step, counts in came.items())
    return int(reports.kept(series, passed=passed, ways=(way,), now=now).pk)


def _change_a_live_journey(town: Inhabited, now: datetime) -> None:
    """A second version of it, and a draft that is further still."""
    draft = copy.deepcopy(Workflow.objects.get(pk=town.journey.pk).live_version.definition)
    steps = draft["steps"]
    wait = next(key for key, step in steps.items() if step["type"] == "wait")
    last = next(key for key, step in steps.items() if step.get("next") == {"next": None})
    for step in steps.values():
        step["next"] = {port: "more" if to == last else to for port, to in step["next"].items()}
    del steps[last]
    steps[wait]["config"] = {"mode": "duration", "for": "P9D"}
    steps["more"] = {"type": "add_tag", "name": "Tag as patient", "config": {"tag": "patient"}, "next": {"next": None}}
    publishing.save_draft(definition=draft, now=now, by="maya", what="Wait longer")
    publishing.publish(slug=draft["slug"], by="maya", note="Wait longer, ask less", now=now)
    further = {**draft, "settings": {**draft.get("settings", {}), "priority": 8}}
    publishing.save_draft(definition=further, now=now, by="maya", what="More important")


@transaction.atomic
def _audience(town: Inhabited, now: datetime) -> dict[str, Any]:
    condition = {"all": [{"field": "company_size", "op": "gte", "value": 50}, {"has_tag": "engaged"}]}
    segments.create(slug="large-and-engaged", name="Large and engaged", condition=condition, now=now)
    segments.create(slug="odd", name=f"Odd {HOSTILE}", condition={"has_tag": HOSTILE[:30]}, now=now)
    lists.create(slug="fair", name="Fair in Graz", description="Who left a card", now=now)
    lists.create(slug="odd", name=f"Odd {HOSTILE}", now=now)
    lists.join([lists.Place(town.ana.pk, "fair", "admin")], now=now)
    absorbed = Contact.objects.create(external_id="crm-old", attributes={"first_name": "Anna"}, created_at=now)
    merged = merge(survivor_id=town.ana.pk, absorbed_id=absorbed.pk, source="admin", actor="maya", now=now)
    PrivacyDeed.objects.create(contact_id=absorbed.pk, deed="export", actor="maya", at=now, counts={"contacts": 1})
    refused = QuarantinedEvent.objects.create(
        received_at=now, source="segment", origin="Website", raw=f'{{"type": "track", "event": "{HOSTILE}"}}',
        errors=[{"loc": ["event"], "msg": HOSTILE, "code": "wrong_type"}],
    )  # fmt: skip
    uploaded = uploads.receive(
        [f"E-mail;Full name;Plan\nzoe@example.com;Zoë;{HOSTILE}\nno address;{HOSTILE};trial\n".encode()],
        name=f"people {HOSTILE}.csv", actor="maya", now=now,
    )  # fmt: skip
    done = ImportRun.objects.create(
        name="people from the fair.csv", digest=hashlib.sha256(b"fair").digest(), size=48_211, state="done",
        position=48_211, line=3001, created=2861, updated=112, unchanged=26, refused=2, actor="maya",
        created_at=now - timedelta(hours=3), started_at=now - timedelta(hours=3),
        finished_at=now - timedelta(hours=2, minutes=59),
    )  # fmt: skip
    ImportReject.objects.bulk_create(
        ImportReject(run=done, line=line, reason="email: is not an e-mail address", row=f"not an address;{HOSTILE}")
        for line in (17, 2093)
    )
    return {
        "merge": merged,
        "segment": Segment.objects.get(slug="large-and-engaged").pk,
        "list": List.objects.get(slug="fair").pk,
        "quarantined": refused.pk,
        "import_waiting": uploaded.pk,
        "import_done": done.pk,
    }


def _scoring(now: datetime) -> dict[str, Any]:
    draft = versions.write_draft({"rules": [*RULES[1:], {**RULES[0], "points": 30}], "mql_threshold": 50}, now=now)
    backtest = asking.ask(
        ruleset_id=draft, since=now - timedelta(days=20), until=now, conversion={"event": "subscribed"}, now=now,
        by="maya",
    )  # fmt: skip
    with transaction.atomic():
        while running.work_batch(now=now):
            pass
    ruleset = Ruleset.objects.get(state="active", name="lead").pk
    return {"ruleset": ruleset, "ruleset_draft": draft, "backtest": backtest}


def _measures(now: datetime) -> dict[str, Any]:
    given = {"began_at": now - timedelta(minutes=9), "seen_at": now, "opened_at": now - timedelta(minutes=8)}
    Alert.objects.create(
        source="queues", key="queues:x", severity="warning", title="The queue of urgent events is late",
        said="12,431 wait, the oldest for 341 s.", **given,
    )  # fmt: skip
    Alert.objects.create(
        source="books", key="books:x", severity="warning", title="The book of the journey first-order does not balance",
        said="entered: counted 12, the facts say 13", page="/admin/", closed_at=now, gone_since=now, **given,
    )  # fmt: skip
    subscription = ReportSubscription.objects.create(
        report="funnel", email="maya@example.com", every="week", timezone="Europe/Berlin", next_at=now, try_at=now,
        created_by="maya",
    )  # fmt: skip
    marts.build(now)
    return {"experiment": _experiment(now), "subscription": subscription.public_id}


def _experiment(now: datetime) -> int:
    """Forty days; the offer does better."""
    variants = [{"key": "story", "weight": 40}, {"key": "offer", "weight": 40}, {"key": "holdout", "weight": 20}]
    ports = {"story": "tell", "offer": "sell", "holdout": None}
    steps = {
        "split": journeys.step("experiment", ports, experiment="subject-line", variants=variants),
        "tell": journeys.step("add_tag", tag="told"),
        "sell": journeys.step("add_tag", tag="sold"),
    }
    definition = journeys.definition(steps, slug="subject-line", exit={"goal": [{"event": "subscribed"}]})
    journeys.publish({**definition, "name": "Which subject line"})
    with transaction.atomic():
        register.make_missing(now=now)
    experiment = Experiment.objects.get(slug="subject-line")
    version = Workflow.objects.get(slug="subject-line").live_version_id
    dice, start = random.Random(12), now - timedelta(days=40)
    for place, contact_id in enumerate(Contact.objects.order_by("id").values_list("id", flat=True)[:200]):
        variant = dice.choices(("story", "offer", "holdout"), (40, 40, 20))[0]
        at = start + timedelta(days=40) * place / 200
        ExperimentAssignment.objects.create(
            experiment=experiment.slug, contact_id=contact_id, variant=variant, bucket=1, enrolment_id=contact_id,
            version_id=version, step="split", assigned_at=at,
        )  # fmt: skip
        if dice.random() < {"story": 0.2, "offer": 0.45, "holdout": 0.1}[variant]:
            journeys.track(contact_id, "subscribed", occurred_at=at + timedelta(minutes=5))
    while True:
        with transaction.atomic():
            if not outcomes.work(now=now):
                return int(experiment.pk)


@transaction.atomic
def _post(now: datetime) -> dict[str, Any]:
    recounting.mend()
    today = tallies.day_of(now)
    PostTally.objects.bulk_create(
        PostTally(
            day=today - timedelta(days=n), channel="email", provider="sandbox", sending=DOMAIN, receiving=receiving,
            message_class="marketing", what=what, reason="", n=int(share * (900 + 37 * (n * 7 % 11))),
        )
        for n in range(1, 31)
        for receiving, size in (("gmail", 1.0), ("outlook", 0.6), ("yahoo", 0.3))
        for what, share in (
            ("accepted", size), ("delivered", size * 0.98), ("hard_bounce", size * 0.012), ("complaint", size * 0.0004),
        )
    )  # fmt: skip
    warming.start(DOMAIN, ramp="careful", now=now)
    SendingDomain.objects.create(domain=BRAKED, created_at=now, braked_at=now, braked_why={"reason": "x"})
    zone = Zone().add(DOMAIN, "TXT", ["v=spf1 include:sendgrid.net -all"])
    checking.check(DOMAIN, zone.add(DOMAIN, "MX", ["10 mx.shop.example"]))
    SeedAddress.objects.create(email="seed@example.com", locale="de", note="Ours, at a large provider", created_at=now)
    WebhookDelivery.objects.bulk_create(
        WebhookDelivery(provider="sendgrid", body=b"[]", received_at=now - timedelta(minutes=n), folded_at=folded)
        for n, folded in enumerate([None, now, now])
    )
    return {"domain": DOMAIN, "domain_braked": BRAKED, "endpoint": _endpoint(now)}


def _endpoint(now: datetime) -> int:
    url = "https://crm.example.com/hooks"
    made = endpoints.add(url=url, event_types=["order_completed"], description="The CRM", now=now)
    EndpointDelivery.objects.bulk_create(
        EndpointDelivery(
            endpoint_id=made.id, webhook_id=uuid4(), event_type="order_completed", attempts=1, due_at=now,
            duration_ms=80, created_at=now - timedelta(hours=9 * n), finished_at=now - timedelta(hours=9 * n),
            **({"state": "delivered", "status": 200} if n % 9 else {"state": "failed", "reason": "timeout"}),
        )
        for n in range(40)
    )  # fmt: skip
    return made.id
