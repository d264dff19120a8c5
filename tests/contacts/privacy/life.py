"""A person who went through everything that the house does, under names that occur nowhere else."""

from __future__ import annotations

import json
from typing import Any

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db import connection, transaction
from django.test import Client

from analytics.models import Experiment, ExperimentOutcome
from contacts import clock, consent, identity, merging, opt_in, redis_index, transactions
from contacts.audiences import filling, lists, membership, segments
from contacts.audiences.lists import Place
from contacts.consent import Consent
from contacts.identifiers import Identifiers
from contacts.models import Contact, ImportReject, ImportRun
from contacts.quarantine import Refused, write
from delivery import devices, suppression
from delivery.devices import NewDevice
from delivery.models import StaffNotice, WebhookDelivery
from delivery.outgoing import endpoints
from delivery.webhooks import feedback
from scoring.crossings import checks
from tests import journeys
from tests.contacts.conftest import Api, make_key
from tests.delivery import making
from tests.journeys import definition, step
from workflows.models import (
    DateEntry,
    DeadLetter,
    Enrolment,
    EntryRequest,
    ExperimentAssignment,
    SalesTask,
    WatchCheck,
    WebhookCall,
)

CANARY = "zilpah"  # in every word that is theirs
EMAIL, OTHER_EMAIL = "Zilpah.Quux@Example.com", "zilpah-old@example.org"
EXTERNAL, PHONE = "zilpah-4711", "+49301234567890"
TOKENS = (CANARY, "4930123456", "zw9k-cookie", "203.0.113.77")  # what must be found nowhere
PERSON = {
    "external_id": EXTERNAL,
    "email": EMAIL,
    "phone": PHONE,
    "anonymous_id": "zw9k-cookie",
    "owner_email": "sales-of-zilpah@example.com",
    "locale": "de",
    "timezone": "Europe/Berlin",
    "region": "EU",
    "attributes": {"first_name": "Zilpah", "zilpahs_dog": "Rex", "plan": "trial"},
    "tags": ["vip"],
    "consents": {"tracking": "granted", "marketing": {"all": "granted"}},
}


def live() -> int:
    """Everything at once. Returns the contact's id. Commits as it goes."""
    api = Api(make_key("events:write", "contacts:read", "contacts:write", "admin"))
    assert api.call("POST", "/api/v1/contacts", json.dumps(PERSON).encode()).status_code == 201
    who = Contact.objects.get(external_id=EXTERNAL)
    device = NewDevice("fcm", f"{CANARY}-registration-of-a-telephone", agent=f"The telephone of {CANARY}")
    transactions.run(lambda now: devices.register(who.pk, device, now=now))
    hears = {"url": "https://crm.example.com/", "event_types": ["page_viewed"], "include_personal_data": True}
    transactions.run(lambda now: endpoints.add(**hears, now=now))
    _do_things(api, who)
    _travel(who.pk)
    _send_on_errands(who.pk)
    _agree(who.pk)
    _become_one(who.pk)
    _be_named_elsewhere(who)
    return who.pk


def _do_things(api: Api, who: Contact) -> None:
    for number in range(3):
        api.post_events(
            {
                "event_id": f"{CANARY}-{number}",
                "type": "page_viewed",
                "contact": {"external_id": EXTERNAL},
                "properties": {"referrer": f"https://{CANARY}.example/{number}"},
                "context": {"ip": "203.0.113.77"},
            }
        )
    api.post_events({"type": "x", "contact": {"email": EMAIL, "external_id": "somebody-else"}})  # a conflict of theirs
    path = f"/api/v1/contacts/{who.public_id}"
    assert api.call("PATCH", path, json.dumps({"attributes": {"first_name": "Zilpah II"}}).encode()).status_code == 200
    evidence = {"ip": "203.0.113.77", "policy_version": "7", "said": CANARY}
    said = {"category": "sale", "state": "denied", "evidence": evidence}
    assert api.call("POST", f"{path}/consents", json.dumps(said).encode()).status_code == 201
    with transaction.atomic():
        lists.create(slug="friends", name="Friends", now=clock.now())
        lists.join([Place(who.pk, "friends", "api")], now=clock.now())
        segments.create(
            slug="trials", name="Trials", condition={"field": "plan", "op": "eq", "value": "trial"}, now=clock.now()
        )
    for _ in range(20):
        if not transactions.run(filling.fill_batch):
            break
    for lane in ("urgent", "bulk"):
        making.run(lambda lane=lane: transactions.run(lambda now: membership.check_batch(lane, now)))


def _travel(contact_id: int) -> None:
    """A journey that is under way: one mail sent and bounced, one that waits to be sent, and a step that waits."""
    journeys.template("welcome")
    hello = step("send_email", {"next": "pause"}, template="welcome")
    pause = step("wait", mode="duration", **{"for": "P3D"})
    journeys.publish(definition({"hello": hello, "pause": pause}))
    journeys.track(contact_id, "signed_up", properties={"name": CANARY})
    journeys.run()
    making.deliver()
    message = making.message(contact_id, context={"trigger": {"properties": {"name": CANARY}}})
    making.message(contact_id, message_class="transactional", context={"trigger": {"name": CANARY}})
    making.deliver()
    reports = [
        {"event": "delivered", "mid": str(message.public_id), "email": EMAIL, "timestamp": 1_700_000_000},
        {
            "event": "bounce",
            "type": "bounce",
            "mid": str(message.public_id),
            "email": EMAIL,
            "timestamp": 1_700_000_001,
            "reason": f"550 5.1.1 <{EMAIL}>: unknown",
        },
    ]
    WebhookDelivery.objects.create(provider="sendgrid", body=json.dumps(reports).encode(), received_at=clock.now())
    making.run(feedback.fold_batch)
    making.message(contact_id, context={"trigger": {"name": CANARY}})  # still in the queue
    with transaction.atomic():
        checks.after_changes(contact_ids=[contact_id], kinds=frozenset({"attribute"}), lane="urgent", now=clock.now())


def _send_on_errands(contact_id: int) -> None:
    """What steps ask of others, what went wrong, and what is to come."""
    now, enrolment = clock.now(), Enrolment.objects.get(contact_id=contact_id)
    where = {"enrolment_id": enrolment.pk, "contact_id": contact_id, "workflow_id": enrolment.workflow_id}
    WebhookCall.objects.create(
        **where,
        seq=1,
        step="call",
        lane="urgent",
        method="POST",
        url=f"https://crm.example/{CANARY}",
        headers={"x-who": CANARY},
        body=f'{{"email": "{EMAIL}"}}',
        answer={"dog": CANARY},
        due_at=now,
    )
    SalesTask.objects.create(**where, seq=2, owner_email=PERSON["owner_email"], message=f"Call {CANARY}", made_at=now)
    DeadLetter.objects.create(
        **where,
        version_id=enrolment.version_id,
        step="call",
        seq=3,
        category="permanent",
        error="ValueError",
        trace=f"about {CANARY}",
        attempts=2,
        failed_at=now,
        state="skipped",
        resolved_at=now,
    )
    StaffNotice.objects.create(
        idempotency_key="errand",
        contact_id=contact_id,
        lane="delivery_urgent",
        to_address=PERSON["owner_email"],
        subject=f"{CANARY} asks",
        text=f"Call {PHONE}",
        due_at=now,
        created_at=now,
    )
    ExperimentAssignment.objects.create(
        experiment="story-or-offer",
        contact_id=contact_id,
        variant="story",
        bucket=17,
        enrolment_id=enrolment.pk,
        version_id=enrolment.version_id,
        step="split",
        assigned_at=now,
    )
    asked = Experiment.objects.create(slug="story-or-offer", workflow_id=enrolment.workflow_id)
    ExperimentOutcome.objects.create(
        experiment=asked,
        contact_id=contact_id,
        variant="story",
        version_id=enrolment.version_id,
        assigned_at=now,
        matures_at=now,
    )
    DateEntry.objects.create(
        workflow_id=enrolment.workflow_id, contact_id=contact_id, occasion="2030-01-01", due_at=now
    )
    EntryRequest.objects.create(
        workflow_id=enrolment.workflow_id,
        contact_id=contact_id,
        lane="bulk",
        trigger={"properties": {"name": CANARY}},
        requested_at=now,
    )
    WatchCheck.objects.create(contact_id=contact_id, lane="bulk", due_at=now)


def _agree(contact_id: int) -> None:
    heard: list[str] = []

    def listen(sender: Any, *, nonce: str, **_: Any) -> None:
        heard.append(nonce)

    from contacts.signals import opt_in_requested

    opt_in_requested.connect(listen)
    try:
        asked = {"form": f"https://shop.example/{CANARY}", "ip": "203.0.113.77"}
        transactions.run(lambda now: opt_in.request(contact_id, topics=["news"], evidence=asked, source="api", now=now))
    finally:
        opt_in_requested.disconnect(listen)
    page = Client(REMOTE_ADDR="203.0.113.77").post(
        f"/confirm/{opt_in.token_of(heard[0])}", headers={"User-Agent": f"Browser of {CANARY}"}
    )
    assert page.status_code == 200
    with transaction.atomic():
        consent.record([Consent(contact_id, "marketing", "granted", "news")], source="api", now=clock.now())


def _become_one(contact_id: int) -> None:
    with transaction.atomic():
        resolved = identity.resolve(
            [Identifiers(email=OTHER_EMAIL), Identifiers(anonymous_id="zw9k-cookie-2")], source="event", now=clock.now()
        )
        old, device = (each for each in resolved.contact_ids if each is not None)
    journeys.track(old, "page_viewed", properties={"as": CANARY})
    journeys.track(device, "page_viewed", properties={"on": CANARY})
    transactions.run(
        lambda now: merging.merge(survivor_id=contact_id, absorbed_id=old, source="api", actor="test", now=now)
    )
    transactions.run(lambda now: merging.absorb_anonymous([(contact_id, device)], source="segment", now=now))
    suppression.suppress(
        channel="email", address=OTHER_EMAIL, scope="email", reason="manual", source="api", now=clock.now()
    )


def _be_named_elsewhere(who: Contact) -> None:
    run = ImportRun.objects.create(name="people.csv", digest=b"", size=1)
    ImportReject.objects.create(run=run, line=3, reason="email: taken", row=f"17,{EMAIL.upper()},x")
    ImportReject.objects.create(run=run, line=4, reason="email: taken", row="18,somebody@example.com,x")
    with transaction.atomic():
        write([Refused("api", "shop", json.dumps({"contact": {"email": EMAIL}, "type": ""}), ())], now=clock.now())
    user = User.objects.create(username="staff")
    LogEntry.objects.create(
        user=user,
        content_type=ContentType.objects.get_for_model(Contact),
        object_id=str(who.pk),
        object_repr=f"Mrs {CANARY}",
        action_flag=CHANGE,
        change_message=f"about {EMAIL}",
    )
    LogEntry.objects.create(user=user, object_repr=EMAIL, action_flag=CHANGE, change_message="")


def mentions(tokens: tuple[str, ...] = TOKENS) -> dict[str, int]:
    """Where any of these words stands: every column of every table, as text, and every key and value in Redis."""
    found: dict[str, int] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT c.relname, a.attname, a.atttypid::regtype::text
              FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
             WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relnamespace = 'public'::regnamespace
               AND a.attnum > 0 AND NOT a.attisdropped
            """
        )
        for table, column, kind in cursor.fetchall():
            text = f"encode({column}, 'escape')" if kind == "bytea" else f'"{column}"::text'
            cursor.execute(
                f'SELECT count(*) FROM "{table}" WHERE {text} ILIKE ANY(%s)', [[f"%{token}%" for token in tokens]]
            )
            if number := cursor.fetchone()[0]:
                found[f"{table}.{column}"] = number
    client = redis_index.connection()
    for key in client.scan_iter(match=redis_index.key("*")):
        value = {"string": client.get, "zset": lambda key: client.zrange(key, 0, -1), "hash": client.hgetall}.get(
            client.type(key), lambda key: ""
        )(key)
        if any(token in f"{key} {value}".lower() for token in tokens):
            found[f"redis {key}"] = 1
    return found
