"""A journey that asks others for something at every step, with real processes: a webhook whose worker is killed while
it calls, an SMS, a push message, a task and a mail for the owner, an event that starts a second journey, an
experiment."""

from __future__ import annotations

import threading

import pytest

from analytics.counting import books
from contacts import transactions, upserting
from contacts.models import Contact, ContactEvent
from contacts.upserting import Person
from delivery.models import SandboxMail, StaffNotice
from tests import journeys
from tests.journeys import definition, step
from tests.receiver import Got, receiving
from tests.stories.fleet import Installation
from tests.stories.test_first_journey import key, sign_up  # noqa: F401  (a fixture)
from tests.workflows.test_send_message import template
from workflows.models import Enrolment, ExperimentAssignment, SalesTask, WebhookCall

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(180)]

PEOPLE = 30
GOLD = {"field": "trigger.webhook.lookup.body.plan", "op": "eq", "value": "gold"}


def errands(url: str) -> dict:
    return {
        "lookup": step("call_webhook", {"next": "gold"}, url=f"{url}/crm?n={{{{trigger.n}}}}", body={"n": "{{n}}"}),
        "gold": step("branch", {"gold": "own", "else": None}, arms=[{"key": "gold", "if": GOLD}]),
        "own": step("update_contact", {"next": "sms"}, set={"plan": {"ref": "trigger.webhook.lookup.body.plan"},
                                                            "owner_email": "maya@example.com"}),
        "sms": step("send_sms", {"next": "push"}, template="sms"),
        "push": step("send_push", {"next": "tell"}, template="push"),
        "tell": step("notify_sales", {"next": "split"}, message="Call {{contact.email}}: {{plan}}"),
        "split": step("experiment", {"a": "emit", "b": "emit"}, experiment="tone",
                      variants=[{"key": "a", "weight": 1}, {"key": "b", "weight": 1}]),
        "emit": step("emit_event", {"next": "on"}, type="warmed_up", properties={"n": {"ref": "trigger.n"}}),
        "on": step("enter_workflow", workflow="third"),
    }  # fmt: skip


def test_every_errand_is_run_once_and_everybody_comes_to_the_end(tmp_path, key, settings, monkeypatch):  # noqa: F811
    settings.WEBHOOK_ALLOWED_HOSTS = ["127.0.0.1"]  # of this process, which publishes; then of the others
    monkeypatch.setenv("WEBHOOK_ALLOWED_HOSTS", "127.0.0.1")
    monkeypatch.setenv("WEBHOOK_TIMEOUT_SECONDS", "1")
    first = threading.Event()

    def answer(got: Got) -> tuple[int, dict[str, str], bytes]:
        if not first.is_set():  # the one during which the worker is killed
            first.set()
            killed.wait(10)
        return 200, {}, b'{"plan": "gold"}'

    killed = threading.Event()
    with receiving() as receiver:
        receiver.answer = answer
        for channel in ("sms", "push"):
            template(channel)
        again = {"trigger": {"type": "event", "event": "warmed_up"}, "re_entry": {"policy": "every_time"}}
        journeys.publish(definition({"tag": step("add_tag", tag="t")}, slug="second", entry=again))
        by_hand = {"trigger": {"type": "event", "event": "never_sent"}, "re_entry": {"policy": "never"}}
        journeys.publish(definition({"tag": step("add_tag", tag="t")}, slug="third", entry=by_hand))
        journeys.publish(definition(errands(receiver.url)))
        people = [Person({"email": f"c{n}@example.com", "phone": f"+155501{n:02}"}) for n in range(PEOPLE)]
        transactions.run(lambda now: upserting.upsert(people, source="import", now=now))
        with Installation(tmp_path, speed=1.0) as installation:
            sign_up(installation, key, range(PEOPLE))
            installation.until(first.is_set, "the first call")
            installation.process("delivery_urgent").kill()
            killed.set()
            installation.until(lambda: finished() == 3 * PEOPLE, "everybody to come to the end of three journeys")
            installation.until(
                lambda: StaffNotice.objects.filter(state="accepted").count() == PEOPLE, "the owner to be told"
            )
            installation.until(lambda: SandboxMail.objects.filter(headers__Channel="push").count() >= PEOPLE, "pushes")
            installation.until(lambda: all(book.balanced for book in books.balance()), "the books to balance")
    ids = [got.headers["webhook-id"] for got in receiver.got]
    assert len(set(ids)) == PEOPLE  # somebody may be asked twice, under the same id, and nobody not at all
    assert set(WebhookCall.objects.values_list("state", "status")) == {("answered", 200)}
    assert Contact.objects.filter(attributes__plan="gold").count() == PEOPLE
    assert SalesTask.objects.count() == ExperimentAssignment.objects.count() == PEOPLE
    assert ContactEvent.objects.filter(type="warmed_up").count() == PEOPLE
    assert ContactEvent.objects.filter(type="webhook_answered").count() == PEOPLE
    assert SandboxMail.objects.filter(subject__startswith="Sales task").count() == PEOPLE
    assert SandboxMail.objects.filter(headers__Channel="sms").count() == PEOPLE


def finished() -> int:
    return Enrolment.objects.filter(state="completed").count()
