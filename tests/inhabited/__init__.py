"""An installation that has been lived in for a few days: every table that a page of the admin reads has rows, of every
kind that a page distinguishes, among them long, foreign and hostile ones."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth.models import User

from analytics.counting import rebuild
from contacts.models import ApiKey, Contact
from delivery.models import Message, Suppression
from scoring.rulesets import versions
from tests.inhabited import people, post, ways
from tests.remembered import furnished
from workflows.models import Workflow

RULES = [
    {
        "name": "Ordered",
        "signal": {"event": "order_completed", "where": {"field": "event.total", "op": "gte", "value": 20}},
        "points": 25,
        "decay": {"type": "half_life", "period": "P30D"},
        "cap": 60,
    },
    {"name": "Opened an email", "signal": {"event": "email_opened"}, "points": 5, "cap": 20},
    {
        "name": "Decides about budgets",
        "signal": {"field": "job_title", "op": "contains", "value": "Director"},
        "points": 20,
    },
    {"name": "Student", "signal": {"field": "job_title", "op": "eq", "value": "Student"}, "points": -10},
]


@dataclass(frozen=True)
class Inhabited:
    """What tests ask for by name."""

    superuser: User
    ana: Contact
    mallory: Contact
    journey: Workflow
    broken_draft: Workflow
    capped: Message
    accepted: Message
    suppression: Suppression
    key: ApiKey


def inhabit(*, now: datetime, contacts: int = 60) -> Inhabited:
    return furnished(("inhabited", contacts), lambda: _inhabit(now, contacts), now=now)


def _inhabit(now: datetime, contacts: int) -> Inhabited:
    superuser = User.objects.create_superuser(
        "maya", "maya@example.com", "correct horse", first_name="Maya", last_name="Ito"
    )
    known = people.settle(now, contacts)
    people.record(now, known)
    journeys = ways.publish(now)
    versions.activate(rules=RULES, mql_threshold=60, now=now - timedelta(days=9))
    messages = ways.walk(now, known, journeys)
    suppression = post.suppress(now, known, messages)
    key = ApiKey.objects.create(
        name="Website",
        kind="browser",
        prefix="wk_test1",
        key_hash=hashlib.sha256(b"one").digest(),
        scopes=["events:write"],
    )
    ApiKey.objects.create(
        name="Data warehouse",
        prefix="mk_live_2",
        key_hash=hashlib.sha256(b"two").digest(),
        scopes=["contacts:read", "delivery:read", "events:write"],
        revoked_at=now,
    )
    rebuild.replace()
    return Inhabited(
        superuser=superuser,
        ana=known[0],
        mallory=known[7],
        journey=journeys["first-order"],
        broken_draft=journeys["winter-sale"],
        capped=messages["capped"],
        accepted=messages["accepted"],
        suppression=suppression,
        key=key,
    )
