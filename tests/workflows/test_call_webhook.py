"""The step `call_webhook`: signed, at least once, outside any transaction; its answer is there for later steps."""

from __future__ import annotations

import base64
import hashlib
import hmac
import threading
import time
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from contacts import outside
from contacts.models import Contact, ContactEvent
from delivery.outgoing import signatures
from tests import journeys
from tests.journeys import definition, step
from tests.receiver import receiving
from workflows import engine, intake, retention
from workflows.definition.validation import validate
from workflows.errands import webhook_calls
from workflows.models import Enrolment, JournalEntry, WebhookCall
from workflows.watches import exits

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def receiver(settings):
    settings.WEBHOOK_ALLOWED_HOSTS = ["127.0.0.1"]
    settings.WEBHOOK_TIMEOUT_SECONDS = 5.0
    with receiving() as found:
        yield found


def call(url: str, after: str | None = None, **config) -> dict:
    return step("call_webhook", {"next": after}, url=url, **config)


def enter(document: dict, *, properties: dict | None = None, **fields) -> int:
    journeys.publish(document)
    contact = journeys.contact(**fields)
    journeys.track(contact.pk, "signed_up", properties=properties)
    journeys.run()
    return contact.pk


def work(lane: str = "urgent") -> None:
    """Make every call that is due, and let who waited go on."""
    while webhook_calls.call_batch(lane, patience=None):
        pass
    journeys.run()


def due_again() -> None:
    WebhookCall.objects.filter(state__in=["queued", "calling"]).update(due_at="2020-01-01T00:00:00Z")


def last(contact_id: int, slug: str = "journey") -> JournalEntry:
    return JournalEntry.objects.filter(
        enrolment_id=journeys.enrolment(contact_id, slug).pk, step_type="call_webhook"
    ).latest("seq")


def test_the_server_gets_what_the_step_says_and_the_contact_goes_on_with_the_answer(receiver):
    receiver.answers(200, {"plan": "gold", "seats": 3})
    body = {"mail": "{{contact.email}}", "order": {"ref": "trigger.order"}, "plan": "{{plan}}", "list": [1, "x"]}
    arms = [{"key": "gold", "if": {"field": "trigger.webhook.lookup.body.plan", "op": "eq", "value": "gold"}}]
    document = definition({
        "lookup": call(f"{receiver.url}/crm/{{{{contact.external_id}}}}?q={{{{trigger.q}}}}", "split",
                       headers={"X-Key": "k-{{plan}}"}, body=body),
        "split": step("branch", {"gold": "tag", "else": None}, arms=arms),
        "tag": step("add_tag", tag="gold"),
    })  # fmt: skip
    properties = {"order": {"id": 7}, "q": "a&b=../c"}
    contact_id = enter(document, properties=properties, external_id="u/1", attributes={"plan": 'pro"'})
    assert journeys.enrolment(contact_id).state == "waiting"
    assert receiver.got == []  # nothing is called inside the engine's transaction
    work()
    (got,) = receiver.got
    assert (got.method, got.path) == ("POST", "/crm/u%2F1?q=a%26b%3D..%2Fc")
    assert got.json == {"mail": "ada@example.com", "order": {"id": 7}, "plan": 'pro"', "list": [1, "x"]}
    assert (got.headers["x-key"], got.headers["content-type"]) == ('k-pro"', "application/json")
    assert got.headers["host"] == f"127.0.0.1:{receiver.port}"
    done = journeys.enrolment(contact_id)
    assert done.state == "completed"
    assert journeys.path(done.pk)[-1] == ("tag", "advanced", "next")
    assert last(contact_id).detail == {"status": 200, "attempts": 1}


def test_the_answer_is_an_event_of_the_contact(receiver):
    receiver.answers(200, {"plan": "gold"})
    contact_id = enter(definition({"lookup": call(receiver.url)}))
    work()
    event = ContactEvent.objects.get(type="webhook_answered")
    assert (event.contact_id, event.source) == (contact_id, "own")
    assert event.properties == {"workflow": "journey", "step": "lookup", "status": 200, "body": {"plan": "gold"}}
    assert event.context == {"via": ["journey"]}


def test_calls_are_signed_after_standard_webhooks(receiver, settings):
    secret = "whsec_" + base64.b64encode(b"k" * 32).decode()
    settings.WEBHOOK_SIGNING_SECRET = ["whsec_" + base64.b64encode(b"o" * 24).decode(), secret]
    enter(definition({"lookup": call(receiver.url)}))
    work()
    (got,) = receiver.got
    name, timestamp = got.headers["webhook-id"], got.headers["webhook-timestamp"]
    assert name == str(WebhookCall.objects.get().public_id)
    assert abs(int(timestamp) - time.time()) < 300
    signed = hmac.new(b"k" * 32, f"{name}.{timestamp}.".encode() + got.body, hashlib.sha256).digest()
    assert got.headers["webhook-signature"].split(" ")[1] == "v1," + base64.b64encode(signed).decode()


def test_without_a_body_the_contact_and_the_entry_event_are_sent(receiver):
    contact_id = enter(
        definition({"lookup": call(receiver.url)}), properties={"a": 1}, attributes={"x": "{{contact.email}}"}
    )
    work()
    sent = receiver.got[0].json
    assert sent["type"] == "journey.step_reached"
    assert sent["data"]["contact"]["id"] == str(Contact.objects.get(pk=contact_id).public_id)
    assert sent["data"]["contact"]["attributes"] == {"x": "{{contact.email}}"}
    assert sent["data"]["trigger"]["properties"] == {"a": 1}


def test_a_get_has_no_body_unless_it_is_given(receiver):
    enter(definition({"lookup": call(receiver.url, method="GET")}))
    work()
    assert (receiver.got[0].method, receiver.got[0].body) == ("GET", b"")


def test_what_may_pass_is_tried_again_under_the_same_id(receiver, settings):
    answers = iter([(503, {}, b""), (429, {"Retry-After": "0"}, b""), (200, {}, b'{"ok": true}')])
    receiver.answer = lambda _: next(answers)
    contact_id = enter(definition({"lookup": call(receiver.url)}))
    for _ in range(3):
        work()
        due_again()
    assert len({got.headers["webhook-id"] for got in receiver.got}) == 1
    assert len(receiver.got) == 3
    assert last(contact_id).detail == {"status": 200, "attempts": 3}


def test_the_pause_before_the_next_attempt_is_as_long_as_the_server_asks(receiver, now):
    receiver.answers(503, None, Retry_After="120")
    enter(definition({"lookup": call(receiver.url)}))
    before = time.time()
    work()
    again = WebhookCall.objects.get()
    assert again.state == "queued"
    assert again.due_at.timestamp() >= before + 119


@pytest.mark.parametrize(
    ("status", "reason", "tries"), [(404, "status_404", 1), (302, "redirected", 1), (500, "status_500", 3)]
)
def test_a_call_that_fails_goes_on_and_the_journal_says_so(receiver, settings, status, reason, tries):
    settings.WEBHOOK_MAX_ATTEMPTS = 3
    receiver.answers(status, {"error": "no such thing"}, Location="http://127.0.0.1:1/")
    contact_id = enter(definition({"lookup": call(receiver.url, "tag"), "tag": step("add_tag", tag="t")}))
    for _ in range(tries):
        work()
        due_again()
    assert len(receiver.got) == tries
    assert last(contact_id).detail == {"status": status, "failed": reason, "attempts": tries}
    assert journeys.enrolment(contact_id).state == "completed"
    event = ContactEvent.objects.get(type="webhook_failed")
    assert (event.properties["status"], event.properties["reason"]) == (status, reason)
    assert journeys.enrolment(contact_id).trigger["properties"]["webhook"]["lookup"]["status"] == status


def test_a_server_that_is_not_there_is_given_up_after_the_attempts(settings):
    settings.WEBHOOK_ALLOWED_HOSTS, settings.WEBHOOK_MAX_ATTEMPTS = ["127.0.0.1"], 2
    contact_id = enter(definition({"lookup": call("http://127.0.0.1:9/")}))
    for _ in range(2):
        work()
        due_again()
    assert last(contact_id).detail == {"failed": "no_connection", "attempts": 2}


def test_a_worker_that_is_lost_leaves_a_call_that_is_made_again(receiver):
    contact_id = enter(definition({"lookup": call(receiver.url)}))
    with connection.cursor() as cursor:  # as a worker leaves it that is killed after its claim
        cursor.execute("UPDATE webhook_calls SET state = 'calling', attempts = 1, lease_until = now(), due_at = now()")
    work()
    assert len(receiver.got) == 1
    assert last(contact_id).detail == {"status": 200, "attempts": 2}


def test_an_answer_that_comes_after_the_lease_changes_nothing(receiver):
    enter(definition({"lookup": call(receiver.url)}))

    def meanwhile(_):
        WebhookCall.objects.update(attempts=2)  # another worker has taken it over
        connection.close()
        return 200, {}, b"{}"

    receiver.answer = meanwhile
    webhook_calls.call_batch("urgent", patience=None)
    assert WebhookCall.objects.get().state == "calling"
    assert not ContactEvent.objects.filter(type="webhook_answered").exists()


def test_a_slow_server_does_not_keep_the_lane(receiver):
    go_on = threading.Event()
    receiver.answer = lambda _: (go_on.wait(10), (200, {}, b"{}"))[1]
    contact_id = enter(definition({"lookup": call(receiver.url)}))
    assert webhook_calls.call_batch("urgent", patience=0.05)
    assert WebhookCall.objects.get().state == "calling"
    assert not webhook_calls.call_batch("urgent", patience=0.05)
    go_on.set()
    for thread in threading.enumerate():
        if thread.name == "webhook answers":
            thread.join(10)
    journeys.run()
    assert journeys.enrolment(contact_id).state == "completed"


def test_nobody_is_called_for_an_enrolment_that_has_left(receiver, now):
    contact_id = enter(definition({"lookup": call(receiver.url)}))
    from django.db import transaction

    with transaction.atomic():
        exits.leave_of([contact_id], reason="manually_removed", now=now)
    work()
    assert receiver.got == []
    assert WebhookCall.objects.get().reason == "nobody_waits"


def test_an_enrolment_does_not_wait_for_an_answer_for_ever(receiver):
    contact_id = enter(definition({"lookup": call(receiver.url)}))
    Enrolment.objects.update(waiting_since="2020-01-01T00:00:00Z")
    journeys.wake_all()
    journeys.run()
    assert journeys.enrolment(contact_id).state == "completed"
    assert last(contact_id).detail == {"failed": "no_answer_in_time"}
    work()
    assert receiver.got == []


def test_an_enrolment_that_is_woken_too_early_waits_on(receiver):
    contact_id = enter(definition({"lookup": call(receiver.url)}))
    journeys.wake_all()
    journeys.run()
    waiting = journeys.enrolment(contact_id)
    assert waiting.state == "waiting"
    assert waiting.wake_at - waiting.waiting_since == timedelta(hours=1)
    work()
    assert journeys.enrolment(contact_id).state == "completed"


@pytest.mark.parametrize(
    "body", [b"not json", b"[NaN]", b'{"a": "\\u0000"}', b"x" * 70_000, b'{"a": "' + b"x" * 20_000 + b'"}', b"[" * 5000]
)
def test_an_answer_that_cannot_be_kept_is_an_answer_all_the_same(receiver, body):
    receiver.answers(200, body)
    contact_id = enter(definition({"lookup": call(receiver.url)}))
    work()
    assert last(contact_id).detail == {"status": 200, "attempts": 1}
    assert WebhookCall.objects.get().answer is None
    assert journeys.enrolment(contact_id).trigger["properties"]["webhook"] == {"lookup": {"status": 200, "body": None}}


def test_a_simulation_calls_nobody(receiver):
    with outside.closed():
        contact_id = enter(definition({"lookup": call(receiver.url)}))
        webhook_calls.call_batch("urgent")
        journeys.run()
    assert receiver.got == []
    assert last(contact_id).detail == {"failed": "simulated", "attempts": 1}


def test_calls_are_forgotten_when_messages_would_be(receiver, settings):
    settings.MESSAGE_RETENTION = "P30D"
    enter(definition({"lookup": call(receiver.url)}))
    work()
    finished_at = WebhookCall.objects.get().finished_at
    retention.prune_calls(now=finished_at + timedelta(days=29))
    assert WebhookCall.objects.exists()
    retention.prune_calls(now=finished_at + timedelta(days=31))
    assert not WebhookCall.objects.exists()


def test_headers_may_hold_keys_and_are_not_kept(receiver):
    enter(definition({"lookup": call(receiver.url, headers={"Authorization": "Bearer secret"})}))
    work()
    assert receiver.got[0].headers["authorization"] == "Bearer secret"
    assert WebhookCall.objects.get().headers == {}


def test_a_batch_of_five_hundred_costs_what_a_batch_of_five_costs(settings):
    settings.WEBHOOK_ALLOWED_HOSTS = ["127.0.0.1"]
    costs = []
    for count in (5, 500):
        slug = f"journey-{count}"
        journeys.publish(definition({"lookup": call("http://127.0.0.1:9/{{plan}}")}, slug=slug))
        rows = Contact.objects.bulk_create([Contact(email=f"{count}-{n}@example.com") for n in range(count)])
        journeys.track([row.pk for row in rows], "signed_up")
        while intake.match_batch(lane="urgent"):
            pass
        Enrolment.objects.exclude(workflow__slug=slug).filter(finished_at=None).update(held=True)
        with CaptureQueriesContext(connection) as queries:
            assert engine.advance_batch(lane="urgent", limit=1000)
        assert WebhookCall.objects.filter(url__startswith="http").count() >= count
        costs.append(len(queries))
    assert abs(costs[0] - costs[1]) <= 1  # a version is read once in a process


@pytest.mark.parametrize(
    ("config", "field", "code"),
    [
        ({"url": "ftp://example.com/"}, "config.url", "bad_url"),
        ({"url": "http://example.com/"}, "config.url", "not_https"),
        ({"url": "https://10.0.0.1/"}, "config.url", "private_address"),
        ({"url": "https://example.com:22/"}, "config.url", "bad_port"),
        ({"url": "https://{{contact.email}}/"}, "config.url", "bad_url"),
        ({"url": "https://user:secret@example.com/"}, "config.url", "bad_url"),
        ({"url": "https://example.com/{{#a}}"}, "config.url", "bad_value"),
        ({"url": "https://example.com/", "headers": {"Host": "x"}}, "config.headers.Host", "bad_value"),
        ({"url": "https://example.com/", "headers": {"X": "a\r\nY: b"}}, "config.headers.X", "bad_value"),
        ({"url": "https://example.com/", "body": {"a": "{{/x}}"}}, "config.body.a", "bad_value"),
        ({"url": "https://example.com/", "body": {"a": {"ref": "event.x"}}}, "config.body.a.ref", "wrong_value"),
        ({"url": "https://example.com/", "method": "TRACE"}, "config.method", "bad_config"),
    ],
)
def test_what_cannot_be_called_is_said_at_its_place(config, field, code):
    found = validate(definition({"lookup": step("call_webhook", **config)}))
    assert (field, code) in {(problem.field, problem.code) for problem in found}


def test_the_secret_of_an_installation_that_gave_none_is_its_own(settings):
    settings.WEBHOOK_SIGNING_SECRET = []
    (one,) = signatures.secrets()
    settings.SECRET_KEY = "another"
    (other,) = signatures.secrets()
    assert one != other
    assert len(signatures.key_of(one)) == 32
