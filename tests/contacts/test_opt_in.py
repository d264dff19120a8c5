"""Double opt-in: asked by mail, answered by one button, and nothing else confirms anything."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client

from contacts import opt_in, transactions
from contacts.models import ConsentRecord, Contact, ContactEvent, OptInRequest
from delivery import suppression
from delivery.models import Message, SandboxMail, Template
from tests.contacts.conftest import Api, make_key
from tests.delivery import making

pytestmark = pytest.mark.django_db


@pytest.fixture
def who() -> Contact:
    return making.contact("ada@example.com")


def ask(who: Contact, **said) -> None:
    answer = Api(make_key("contacts:write")).call(
        "POST", f"/api/v1/contacts/{who.public_id}/opt-in", json.dumps(said).encode()
    )
    assert answer.status_code == 202, answer.content
    making.deliver()


def link() -> str:
    """The one in the newest mail, as a path."""
    return re.search(r"https?://[^/\s]+(/confirm/\S+)", SandboxMail.objects.latest("id").text).group(1)


def browser() -> Client:
    return Client(enforce_csrf_checks=True, REMOTE_ADDR="198.51.100.7")


def said() -> list[tuple[str, str, str]]:
    rows = ConsentRecord.objects.order_by("id").values_list("category", "topic", "state")
    return list(rows)


def test_the_button_behind_the_mail_grants_what_was_asked_for_with_its_evidence(who, settings):
    settings.MARKETING_CONSENT = "opt_in"
    ask(who, topics=["news", "offers"], evidence={"form": "footer", "wording": "3"})
    assert said() == []
    page = browser().post(link(), headers={"User-Agent": "Netscape/4"})
    assert page.status_code == 200
    assert said() == [("marketing", "news", "granted"), ("marketing", "offers", "granted")]
    record = ConsentRecord.objects.first()
    assert record.source == "confirm"
    assert record.evidence["asked"] == {"form": "footer", "wording": "3", "source": "api"}
    assert record.evidence["answered"]["ip"] == "198.51.100.7"
    assert record.evidence["answered"]["user_agent"] == "Netscape/4"
    assert record.evidence["answered"]["wording"] == opt_in.WORDING
    assert OptInRequest.objects.get().confirmed_at is not None
    event = ContactEvent.objects.get(type="subscription_confirmed")
    assert event.properties == {"topics": ["news", "offers"]} and event.processed
    news, other = making.message(who.pk, topic="news"), making.message(who.pk, topic="gossip")
    making.deliver()
    assert making.states([news, other]) == ["accepted", "suppressed:consent"]


def test_looking_changes_nothing_however_often_and_with_whatever_method(who):
    ask(who)
    for method in ("get", "head"):
        assert getattr(browser(), method)(link()).status_code == 200
    assert browser().put(link()).status_code == 405
    assert said() == [] and OptInRequest.objects.get().confirmed_at is None


def test_the_page_sets_no_cookie_tells_no_referrer_loads_nothing_and_has_one_button(who):
    ask(who)
    page = browser().get(link())
    html = page.content.decode()
    assert not page.cookies
    assert page["Referrer-Policy"] == "no-referrer" and "noindex" in page["X-Robots-Tag"]
    assert "no-store" in page["Cache-Control"]
    assert html.count("<button") == 1 and '<form method="post">' in html and "<script" not in html
    assert not re.search(r"(src|href)=[\"']?https?:", html)


def test_the_answer_is_the_same_for_good_used_old_and_unknown_links(who):
    ask(who)
    good = link()
    first = browser().post(good)
    again = browser().post(good)
    ask(who)
    OptInRequest.objects.update(expires_at="2020-01-01T00:00:00Z")
    old = browser().post(link())
    unknown = browser().post("/confirm/" + "A" * 32)
    nonsense = browser().post("/confirm/%00%F0%9F%94%94/")
    answers = [first, again, old, unknown, nonsense]
    assert {each.status_code for each in answers} == {200}
    assert len({each.content for each in answers}) == 1
    assert len({browser().get(path).content for path in (good, "/confirm/nothing")}) == 1
    assert said() == [("marketing", "", "granted")]
    assert ContactEvent.objects.filter(type="subscription_confirmed").count() == 1


def test_the_token_lies_in_the_mail_alone(who):
    ask(who)
    token = link().removeprefix("/confirm/")
    assert len(token) == 32  # 192 bits
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname, a.attname, a.atttypid::regtype::text FROM pg_class c JOIN pg_attribute a"
            " ON a.attrelid = c.oid WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.attnum > 0"
            " AND c.relnamespace = 'public'::regnamespace AND NOT a.attisdropped AND c.relname <> 'sandbox_mails'"
        )
        for table, column, kind in cursor.fetchall():
            text = f"encode({column}, 'escape')" if kind == "bytea" else f'"{column}"::text'
            cursor.execute(f'SELECT count(*) FROM "{table}" WHERE strpos({text}, %s) > 0', [token])
            assert cursor.fetchone()[0] == 0, f"{table}.{column}"


def test_an_earlier_unsubscribe_no_longer_stands_and_a_complaint_does(who, settings):
    def suppress(reason: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT now()")
            at = cursor.fetchone()[0]
        from delivery import addresses

        row = addresses.rows(channel="email", given=[who.email], now=at)[who.email]
        suppression.record([suppression.NewSuppression(row, "email", reason, "page")], now=at)

    suppress("unsubscribe")
    ask(who)
    browser().post(link())
    message = making.message(who.pk)
    making.deliver()
    assert making.state(message) == "accepted"
    ask(who)
    suppress("complaint")
    browser().post(link() if SandboxMail.objects.exists() else "/confirm/x")
    last = making.message(who.pk)
    making.deliver()
    assert making.state(last) == "suppressed:complaint"


def test_the_mail_is_transactional_and_its_template_is_the_marketers(who):
    ask(who)
    message = Message.objects.latest("id")
    assert message.message_class == "transactional" and set(message.context) == {"opt_in", "about"}
    assert "List-Unsubscribe" not in SandboxMail.objects.get().headers
    making.template("confirm-subscription", subject="Really?", html="<a href='{{confirm_url}}'>yes</a>")
    ask(who)
    assert SandboxMail.objects.latest("id").subject == "Really?"
    assert link() and Template.objects.count() == 1


def test_somebody_without_an_address_cannot_be_asked(who):
    nobody = making.contact("", external_id="x")
    answer = Api(make_key("contacts:write")).call("POST", f"/api/v1/contacts/{nobody.public_id}/opt-in", b"{}")
    assert answer.status_code == 400 and answer.json()["errors"][0]["code"] == "no_address"


def test_who_was_erased_in_the_meantime_grants_nothing(who, now):
    from contacts.privacy import erasing

    ask(who)
    path = link()
    transactions.run(lambda at: erasing.erase(who.pk, actor="test", now=at))
    assert browser().post(path).status_code == 200
    assert said() == []


def test_a_link_works_for_as_long_as_it_is_meant_to(who, settings):
    settings.OPT_IN_LIFETIME = "P2D"
    ask(who)
    asked = OptInRequest.objects.get()
    assert asked.expires_at - asked.requested_at == timedelta(days=2)
