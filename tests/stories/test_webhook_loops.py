"""A live loop over HTTP: a journey calls a server, which posts back the event that starts the journey, which calls the
server … It ends by itself, because the server passes on the header that it got."""

from __future__ import annotations

import json

import pytest

from contacts import hops
from contacts.models import ContactEvent
from tests import journeys
from tests.journeys import definition, step
from tests.receiver import Got, receiving
from tests.stories.fleet import Installation
from tests.stories.test_first_journey import key  # noqa: F401  (a fixture)
from workflows.models import Enrolment, JournalEntry, WebhookCall

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(180)]


def test_a_server_that_posts_back_what_it_was_called_for(tmp_path, key, settings, monkeypatch):  # noqa: F811
    settings.WEBHOOK_ALLOWED_HOSTS = ["127.0.0.1"]  # of this process, which publishes; then of the others
    monkeypatch.setenv("WEBHOOK_ALLOWED_HOSTS", "127.0.0.1")
    with receiving() as receiver, Installation(tmp_path, speed=1.0) as installation:

        def post(number: int, passed_on: dict[str, str]) -> int:
            events = [{"type": "order_changed", "contact": {"external_id": "u1"}, "properties": {"order": number},
                       "event_id": f"change-{number}"}]  # fmt: skip
            body = json.dumps({"events": events}).encode()
            sent = {"Authorization": f"Bearer {key}", "Content-Type": "application/json", **passed_on}
            return installation.request("POST", "/api/v1/events", body, **sent)[0]

        def answer(got: Got) -> tuple[int, dict[str, str], bytes]:
            said = got.headers["carillon-hops"]
            return post(int(said), {"Carillon-Hops": said}), {}, b"{}"

        receiver.answer = answer
        again = {"policy": "every_time", "key": "event.order"}
        journeys.publish(
            definition(
                {"tell": step("call_webhook", url=receiver.url)},
                entry={"trigger": {"type": "event", "event": "order_changed"}, "re_entry": again},
            )
        )
        assert post(0, {}) == 202
        installation.until(lambda: Enrolment.objects.filter(state="completed").count() > hops.MOST, "the last round")
    assert [got.headers["carillon-hops"] for got in receiver.got] == [str(n) for n in range(1, hops.MOST + 1)]
    assert WebhookCall.objects.count() == hops.MOST
    assert Enrolment.objects.count() == Enrolment.objects.filter(state="completed").count() == hops.MOST + 1
    assert ContactEvent.objects.filter(type="order_changed").count() == hops.MOST + 1
    last = JournalEntry.objects.filter(enrolment_id=Enrolment.objects.latest("id").pk).latest("seq")
    assert last.detail == {"skipped": "loop", "journeys": hops.MOST}
