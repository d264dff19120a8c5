"""An installation with an object of each kind that the API has an address for, and their ids: whoever makes up
requests needs some that are there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.apps import apps
from django.db import transaction

from contacts.collect.write_keys import create_write_key
from tests.contacts.conftest import Api, make_key
from tests.inhabited import inhabit
from tests.inhabited.furniture import furnish
from tests.journeys import definition, step
from workflows import publishing

NOT_THERE = "00000000-0000-4000-8000-000000000000"


@dataclass(frozen=True)
class Objects:
    """`ids`: (beginning of a path, name in it) -> values, the longer beginnings first."""

    key: str
    write_key: str
    ids: Mapping[tuple[str, str], list[str]]

    def of(self, path: str, name: str) -> list[str]:
        """Values that this part of a templated path takes; empty where nobody knows any."""
        fitting = [each for each in self.ids if each[1] == name and path.startswith(each[0])]
        return self.ids[max(fitting, key=lambda each: len(each[0]))] if fitting else []


def furnish_all(now: datetime) -> Objects:
    """Commits, unless it is in a transaction."""
    with transaction.atomic():
        inhabit(now=now, contacts=24)
        furnish(now)
        _experiment(now)
        write_key = create_write_key(name="shop", kind="server", now=now)
    key = make_key("admin")
    _by_the_api(Api(key), now)
    return Objects(key, write_key, _ids())


def _experiment(now: datetime) -> None:
    variants = [{"key": "a", "weight": 50}, {"key": "b", "weight": 50}]
    steps = {"split": step("experiment", {"a": None, "b": None}, experiment="tone", variants=variants)}
    publishing.save_draft(definition={**definition(steps, slug="tried"), "name": "Tried"}, now=now)
    publishing.publish(slug="tried", by="maya", note="", now=now)


def _by_the_api(api: Api, now: datetime) -> None:
    """What only the API, or a task, makes."""
    (version,) = _values("scoring.Ruleset", "pk")[:1]
    one, other = _values("contacts.Contact", "public_id")[-2:]
    event = {"event": "order_completed"}
    week = {"since": (now - timedelta(days=7)).isoformat(), "until": now.isoformat()}
    app = {"kind": "fcm", "target": "registration-token-of-an-app"}
    for path, body in (
        ("lists", {"slug": "news", "name": "News"}),
        ("segments", {"slug": "trial", "name": "Trial", "condition": {"field": "plan", "op": "eq", "value": "trial"}}),
        ("tags", {"name": "vip"}),
        ("seed-addresses", {"email": "maya@example.com"}),
        ("scoring/backtests", {"ruleset": int(version), **week, "conversion": event}),
        (f"scoring/rulesets/{version}/draft", None),
        ("contacts/merge", {"contacts": [one, other]}),
        ("webhook-endpoints", {"url": "https://crm.example/hook", "event_types": ["email_sent"]}),
        (f"contacts/{_values('contacts.Contact', 'public_id')[0]}/devices", app),
        ("suppressions", {"address": "gone@example.com"}),
    ):
        answer = api.call("POST", f"/api/v1/{path}", b"" if body is None else json.dumps(body).encode())
        assert answer.status_code < 300, (path, answer.content)
    assert api.get("/api/v1/experiments/").json()["results"], "whoever looks first has them made"
    imported = api._client.post(
        "/api/v1/imports", data=b"email\nnew@example.com\n", content_type="text/csv", headers=api._headers
    )
    assert imported.status_code == 202, imported.content


def _values(model: str, field: str, most: int = 12) -> list[str]:
    rows: Any = apps.get_model(model)._default_manager.order_by("pk")
    return [str(value) for value in rows.values_list(field, flat=True)[:most]]


def _ids() -> dict[tuple[str, str], list[str]]:
    contacts = _values("contacts.Contact", "public_id")
    told = ["told"]  # the journey that has a plan, a run and a rehearsal
    return {
        ("/api/v1/contacts/", "public_id"): contacts,
        ("/api/v1/contacts/{public_id}/devices/", "public_id"): contacts[:1],
        ("/api/v1/contacts/", "device_id"): _values("delivery.PushDevice", "public_id"),
        ("/api/v1/imports/", "run_id"): _values("contacts.ImportRun", "pk"),
        ("/api/v1/lists/", "slug"): _values("contacts.List", "slug"),
        ("/api/v1/segments/", "slug"): _values("contacts.Segment", "slug"),
        ("/api/v1/tags/", "name"): _values("contacts.Tag", "name"),
        ("/api/v1/merges/", "merge_id"): _values("contacts.ContactMerge", "pk"),
        ("/api/v1/experiments/", "slug"): _values("analytics.Experiment", "slug"),
        ("/api/v1/messages/", "message_id"): _values("delivery.Message", "public_id"),
        ("/api/v1/providers/", "name"): ["sandbox"],
        ("/api/v1/reports/", "slug"): ["funnel"],
        ("/api/v1/reports/", "kind"): ["csv"],
        ("/api/v1/scoring/backtests/", "id"): _values("scoring.Backtest", "pk"),
        ("/api/v1/scoring/rulesets/", "id"): _values("scoring.Ruleset", "pk"),
        ("/api/v1/seed-addresses/", "number"): _values("delivery.SeedAddress", "pk"),
        ("/api/v1/templates/", "slug"): _values("delivery.Template", "slug"),
        ("/api/v1/templates/", "number"): ["1"],
        ("/api/v1/webhook-endpoints/", "public_id"): _values("delivery.WebhookEndpoint", "public_id"),
        ("/api/v1/webhook-endpoints/", "delivery_id"): _values("delivery.EndpointDelivery", "public_id"),
        ("/api/v1/workflows/", "slug"): _values("workflows.Workflow", "slug"),
        ("/api/v1/workflows/", "number"): ["1"],
        ("/api/v1/workflows/enrolments/", "public_id"): _values("workflows.Enrolment", "public_id"),
        ("/api/v1/workflows/dead-letters/", "public_id"): _values("workflows.DeadLetter", "public_id"),
        ("/api/v1/workflows/{slug}/plan/{public_id}/", "slug"): told,
        ("/api/v1/workflows/{slug}/plan/", "public_id"): _values("workflows.EditPlan", "public_id"),
        ("/api/v1/workflows/{slug}/rehearse/{public_id}/", "slug"): told,
        ("/api/v1/workflows/{slug}/rehearse/", "public_id"): _values("workflows.Rehearsal", "public_id"),
        ("/api/v1/workflows/{slug}/runs/{public_id}/", "slug"): told,
        ("/api/v1/workflows/{slug}/runs/", "public_id"): _values("workflows.EntryRun", "public_id"),
    }
