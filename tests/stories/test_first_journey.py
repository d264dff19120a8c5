"""One journey from end to end, with real processes: an event over HTTP, intake, steps, a wait, a mail in the sandbox,
a signed webhook back, a branch on it, and an unsubscribe that holds. Workers are killed and Redis is emptied meanwhile.
"""

from __future__ import annotations

import json
import re

import pytest
from django.db import transaction

from analytics.counting import books
from contacts import access, clock, redis_index
from contacts.models import ContactEvent, ContactTag
from delivery.models import Feedback, Message, SandboxMail
from tests import journeys
from tests.journeys import definition, step
from tests.stories.fleet import Installation
from workflows.models import Enrolment

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(180)]

SPEED = 86_400.0
ONBOARDING = {
    "welcome": step("send_email", {"next": "pause"}, template="welcome"),
    "pause": step("wait", {"next": "opened"}, mode="duration", **{"for": "P6D"}),
    "opened": step(
        "branch",
        {"yes": "tag", "else": "nudge"},
        arms=[{"key": "yes", "if": {"event": "email_delivered", "message": {"workflow": "journey"}}}],
    ),
    "tag": step("add_tag", {"next": "nine"}, tag="reached"),
    "nine": step("wait", {"next": "tour"}, mode="local_time", at="09:00"),
    "tour": step("send_email", template="tour"),
    "nudge": step("send_email", template="tour"),
}


@pytest.fixture
def key() -> str:
    with transaction.atomic():
        return access.create_key(name="story", kind="secret", scopes=["events:write"], now=clock.now())


def sign_up(installation: Installation, key: str, numbers: range) -> dict:
    events = [
        {"event_id": f"e{n}", "type": "signed_up", "contact": {"email": f"c{n}@example.com"}, "properties": {"n": n}}
        for n in numbers
    ]
    status, body, _ = installation.request(
        "POST",
        "/api/v1/events",
        json.dumps({"events": events}).encode(),
        Authorization=f"Bearer {key}",
        Content_Type="application/json",
    )
    assert status == 202, body
    return json.loads(body)


def test_a_contact_is_welcomed_waits_is_heard_of_and_comes_to_the_end(tmp_path, key):
    journeys.template("welcome")
    journeys.template("tour")
    journeys.publish(definition(ONBOARDING))
    with Installation(tmp_path, speed=SPEED) as installation:
        assert sign_up(installation, key, range(40)) == {"accepted": 40, "duplicates": 0, "rejected": []}
        assert sign_up(installation, key, range(40))["duplicates"] == 40
        installation.until(lambda: SandboxMail.objects.count() >= 40, "forty welcome mails")

        installation.process("urgent").kill()
        installation.process("delivery_urgent").kill()
        installation.process("dispatcher").kill()
        redis_index.connection().flushdb()

        installation.until(
            lambda: not Enrolment.objects.filter(finished_at=None).exists(), "everybody to come to the end"
        )
        installation.until(
            lambda: not Message.objects.filter(pk__in=open_messages()).exists(), "every message to be over"
        )
        installation.until(lambda: Feedback.objects.filter(kind="opened").exists(), "somebody to open a mail")
        installation.until(lambda: all(book.balanced for book in books.balance()), "the books to balance")

    assert Enrolment.objects.filter(state="completed").count() == 40
    steps = [message.step for message in Message.objects.exclude(step="welcome")]
    assert len(steps) == 40 and ContactTag.objects.count() == steps.count("tour") > 20
    mids = list(SandboxMail.objects.values_list("mid", flat=True))
    assert len(mids) == len(set(mids)), "a message was sent twice"
    assert ContactEvent.objects.filter(type="email_delivered").values("contact_id").distinct().count() > 20


def open_messages() -> list[int]:
    from delivery.models import OutboxEntry

    return list(OutboxEntry.objects.values_list("pk", flat=True))


def test_an_unsubscribe_by_the_link_in_the_mail_stops_what_comes_after_it(tmp_path, key):
    journeys.template("welcome")
    journeys.template("tour")
    journeys.publish(definition({
        "welcome": step("send_email", {"next": "pause"}, template="welcome"),
        "pause": step("wait", {"next": "tour"}, mode="duration", **{"for": "P8D"}),
        "tour": step("send_email", template="tour"),
    }))  # fmt: skip
    with Installation(tmp_path, speed=SPEED) as installation:
        sign_up(installation, key, range(1))
        installation.until(lambda: SandboxMail.objects.exists(), "the welcome mail")
        mail = SandboxMail.objects.get()
        link = re.search(r"https?://[^/]+(/u/[\w.\-]+)", mail.html + mail.text)
        assert link, "a marketing mail has an unsubscribe link"
        status, _, _ = installation.request("GET", link[1])
        assert status == 200
        status, _, headers = installation.request(
            "POST", link[1], b"List-Unsubscribe=One-Click", Content_Type="application/x-www-form-urlencoded"
        )
        assert status == 200 and "set-cookie" not in headers
        installation.until(lambda: not Enrolment.objects.filter(finished_at=None).exists(), "the journey to end")
        installation.until(lambda: not open_messages(), "the second message to be decided")
    assert SandboxMail.objects.count() == 1
    assert ContactEvent.objects.filter(type="send_suppressed").count() == 1
    assert Enrolment.objects.get().state == "completed"
