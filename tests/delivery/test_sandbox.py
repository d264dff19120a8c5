"""The sandbox's people: what they do follows from the mail, comes back signed over HTTP, and waits for the web."""

from __future__ import annotations

from collections import Counter
from uuid import UUID

import pytest

from contacts import clock
from delivery.models import Feedback, SandboxMail, Suppression, WebhookDelivery
from delivery.providers.sandbox import people as sandbox_people
from delivery.providers.sandbox.people import WebIsAway
from delivery.webhooks import feedback
from tests.delivery import making

LINKED = "<a href='https://shop.example/a?b=1&amp;c=2'>Go</a> <a href=\"http://host/u/token\">Unsubscribe</a>"


def mids(count: int) -> list[str]:
    return [str(UUID(int=number * 7_919)) for number in range(1, count + 1)]


def test_people_behave_as_people_do():
    plans = {mid: sandbox_people.plan(mid, LINKED) for mid in mids(20_000)}
    did = Counter(deed.name for plan in plans.values() for deed in plan)
    assert did["arrive"] == 20_000
    bounced = sum(sandbox_people.does_bounce(mid) for mid in plans)
    assert 0.015 < bounced / 20_000 < 0.025
    assert 0.50 < did["open"] / 20_000 < 0.60
    assert 0.12 < did["click"] / did["open"] < 0.18
    assert 0.0003 < did["complain"] / 20_000 < 0.002
    assert 0.007 < did["unsubscribe"] / 20_000 < 0.013
    assert 0.06 < did["prefetch"] / 20_000 < 0.10


def test_what_somebody_does_follows_from_the_mail_alone():
    for mid in mids(200):
        assert sandbox_people.plan(mid, LINKED) == sandbox_people.plan(mid, LINKED)


def test_nobody_clicks_before_opening_and_nobody_who_bounced_does_anything():
    for mid in mids(5_000):
        deeds = {deed.name: deed for deed in sandbox_people.plan(mid, LINKED)}
        if "click" in deeds:
            assert deeds["click"].after > deeds["open"].after
            assert deeds["click"].target == "https://shop.example/a?b=1&c=2"
        if sandbox_people.does_bounce(mid):
            assert list(deeds) == ["arrive"]


def test_without_a_link_nobody_clicks():
    assert not any(deed.name == "click" for mid in mids(2_000) for deed in sandbox_people.plan(mid, "<p>Hi</p>"))


def mail(wanted: str, address: str = "ada@example.com") -> SandboxMail:
    """A mail to somebody who will do this, sent by a message of ours."""
    contact = making.contact(address)
    mid = next(mid for mid in mids(20_000) if wanted in _does(mid))
    message = making.message(contact.pk)
    making.change("UPDATE messages SET public_id = %s WHERE id = %s", [mid, message.pk])
    making.deliver()
    return SandboxMail.objects.get(mid=mid)


def _does(mid: str) -> list[str]:
    html = making.HTML
    return ["bounce"] if sandbox_people.does_bounce(mid) else [deed.name for deed in sandbox_people.plan(mid, html)]


def live(mail: SandboxMail) -> list[str]:
    """Let time pass until this mail's reader is done; returns what they did, in order."""
    did: list[str] = []
    while True:
        mail.refresh_from_db()
        if mail.reacts_at is None:
            return did
        did.append(mail.reaction)
        SandboxMail.objects.filter(pk=mail.pk).update(reacts_at=clock.now())
        assert sandbox_people.react_batch() is True


@pytest.fixture
def web(live_server, settings):
    settings.PUBLIC_URL = live_server.url
    return live_server


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("wanted", "kinds", "suppressed"),
    [
        ("click", {"processed", "delivered", "opened", "clicked"}, set()),
        ("bounce", {"processed", "hard_bounce"}, {("all", "hard_bounce", "webhook:sandbox")}),
        ("complain", {"complained"}, {("all", "complaint", "webhook:sandbox")}),
        ("unsubscribe", {"unsubscribed"}, {("email", "unsubscribe", "one_click")}),
        ("prefetch", {"processed", "delivered", "opened"}, set()),
    ],
)
def test_what_they_do_comes_back_as_it_would_from_a_provider(web, wanted, kinds, suppressed):
    theirs = mail(wanted)
    did = live(theirs)
    assert did[0] == "arrive" and (wanted in did or wanted == "bounce")
    making.run(feedback.fold_batch)
    assert kinds <= set(Feedback.objects.values_list("kind", flat=True))
    assert set(Suppression.objects.values_list("scope", "reason", "source")) >= suppressed
    if wanted == "prefetch":
        assert Feedback.objects.filter(kind="opened", is_machine=True).exists()


@pytest.mark.django_db(transaction=True)
def test_while_the_web_is_away_they_wait_and_lose_nothing(live_server, settings):
    settings.PUBLIC_URL = "http://127.0.0.1:9"
    theirs = mail("open")
    SandboxMail.objects.update(reacts_at=clock.now())
    with pytest.raises(WebIsAway):
        sandbox_people.react_batch()
    theirs.refresh_from_db()
    assert theirs.reaction == "arrive" and theirs.reacts_at is not None
    settings.PUBLIC_URL = live_server.url
    assert "open" in live(theirs)


@pytest.mark.django_db(transaction=True)
def test_what_is_posted_twice_is_folded_once(web):
    theirs = mail("open")
    SandboxMail.objects.update(reacts_at=clock.now())
    sandbox_people.react_batch()
    SandboxMail.objects.update(reaction="arrive", reacts_at=clock.now())  # killed between posting and noting it
    sandbox_people.react_batch()
    assert WebhookDelivery.objects.count() == 2
    making.run(feedback.fold_batch)
    assert Feedback.objects.filter(kind="delivered").count() == 1
    assert theirs.mid is not None


@pytest.mark.django_db
def test_nobody_reacts_before_their_time():
    making.message()
    making.deliver()
    assert sandbox_people.react_batch() is False


@pytest.mark.django_db
def test_the_inbox_has_an_address_of_its_own(client):
    answer = client.get("/sandbox/")
    assert answer.status_code == 302 and answer["Location"] == "/admin/delivery/sandboxmail/"
