"""The preference centre: what is shown, what is saved, and what the gate then does."""

from __future__ import annotations

import re
from html import unescape
from uuid import uuid4

import pytest
from django.test import Client

from contacts import clock, consent, transactions
from contacts.consent import DENIED, GRANTED, Consent
from contacts.models import ConsentRecord, Contact, ContactChange
from delivery import suppression
from delivery.models import Address, Suppression
from delivery.public import unsubscribing, visits
from tests.delivery import making

pytestmark = pytest.mark.django_db

SAVE = {"form": "preferences"}


@pytest.fixture(autouse=True)
def _topics(settings):
    settings.TOPICS = {"newsletter": "Newsletter", "newsletter.de": "Rundbrief", "offers": "Offers & sales"}


def browser(**headers: str) -> Client:
    return Client(enforce_csrf_checks=True, headers=headers)


def sent(email: str = "ada@example.com", **fields: object) -> making.Message:
    message = making.message(making.contact(email, attributes={"first_name": "Ada"}, **fields).pk)
    making.deliver()
    return message


def path(message: making.Message) -> str:
    return f"/preferences/{unsubscribing.token_of(str(message.public_id))}"


def checked(page) -> list[str]:
    """What the page shows as chosen."""
    tags = re.findall(r"<input [^>]*>", page.content.decode())
    return [
        unescape(re.search(r'name="(\w+)" value="([^"]*)"', tag).expand(r"\1:\2")) for tag in tags if " checked" in tag
    ]


def say(contact_id: int, state: str, topic: str = "", category: str = "marketing") -> None:
    transactions.run(lambda now: consent.record([Consent(contact_id, category, state, topic)], source="api", now=now))


def after(contact_id: int, **changes: object) -> str:
    """What becomes of one more marketing mail."""
    Contact.objects.filter(pk=contact_id).update(frequency_cap={"per_day": None, "per_week": None})
    message = making.message(contact_id, **changes)
    making.deliver()
    return making.state(message)


def standing() -> set[tuple[str, str]]:
    return set(Suppression.objects.filter(released_at=None).values_list("scope", "reason"))


ALL_ON = ["topic:newsletter", "topic:offers", "everything_else:1", "channel:email", "frequency:as_it_comes"]


def test_a_page_shows_what_is_chosen_the_address_masked_and_changes_nothing():
    message = sent()
    before = Address.objects.count()
    for method in ("get", "head"):
        page = getattr(browser(), method)(path(message))
        assert page.status_code == 200 and not page.cookies
    page = browser().get(path(message))
    assert checked(page) == ALL_ON
    shown = page.content.decode().replace(path(message), "")  # the link itself is letters by chance
    assert "a•••@e•••.com" in shown and "ada" not in shown
    assert page["Referrer-Policy"] == "no-referrer" and "noindex" in page["X-Robots-Tag"]
    assert "default-src 'none'" in page["Content-Security-Policy"] and "no-store" in page["Cache-Control"]
    assert browser().put(path(message)).status_code == 405
    assert (standing(), ConsentRecord.objects.count(), Address.objects.count()) == (set(), 0, before)


def test_looking_makes_no_row_even_for_a_mail_that_was_never_claimed():
    message = making.message()
    assert browser().get(path(message)).status_code == 200
    assert Address.objects.count() == 0


def test_a_topic_that_is_switched_off_is_a_consent_with_evidence_and_stops_that_topic_alone():
    message = sent()
    page = browser(**{"User-Agent": "Lynx"}).post(
        path(message), {**SAVE, "topic": "offers", "everything_else": "1", "channel": "email"}
    )
    assert 'role="status"' in page.content.decode() and "Your choices are saved." in page.content.decode()
    assert checked(page) == ["topic:offers", "everything_else:1", "channel:email", "frequency:as_it_comes"]
    assert standing() == {("newsletter", "unsubscribe")}
    record = ConsentRecord.objects.get(topic="newsletter")
    assert (record.state, record.source) == ("denied", "preferences")
    assert record.evidence | {"wording": ""} == {
        "page": "preferences", "wording": "", "language": "en", "ip": "127.0.0.1", "user_agent": "Lynx",
        "said": "Newsletter",
    }  # fmt: skip
    assert after(message.contact_id, topic="newsletter") == "suppressed:unsubscribe"
    assert after(message.contact_id, topic="offers") == "accepted"
    assert after(message.contact_id) == "accepted"


def test_switching_it_on_again_is_a_consent_and_releases_what_they_had_switched_off():
    message = sent()
    browser().post(path(message), {**SAVE, "channel": "email", "everything_else": "1"})
    page = browser().post(path(message), {**SAVE, "channel": "email", "everything_else": "1", "topic": "newsletter"})
    assert checked(page)[0] == "topic:newsletter"
    assert standing() == {("offers", "unsubscribe")}
    assert Suppression.objects.get(scope="newsletter").released_by == "preferences"
    assert ConsentRecord.objects.filter(topic="newsletter").latest("id").state == "granted"
    assert after(message.contact_id, topic="newsletter") == "accepted"


def test_switching_everything_off_stops_all_marketing_and_no_receipt():
    message = sent()
    page = browser().post(path(message), {**SAVE, "all_off": "1", "topic": "offers", "channel": "email"})
    assert "Everything is switched off" in page.content.decode()
    assert checked(page) == ["frequency:as_it_comes"]
    for topic in ("newsletter", "offers", "", "another"):
        assert after(message.contact_id, topic=topic) == "suppressed:unsubscribe"
    assert after(message.contact_id, message_class="transactional") == "accepted"


def test_whoever_comes_back_for_one_topic_gets_that_topic_and_nothing_else():
    message = sent()
    browser().post(path(message), {"all_off": "1"})
    page = browser().post(path(message), {**SAVE, "topic": "newsletter", "channel": "email"})
    assert checked(page) == ["topic:newsletter", "channel:email", "frequency:as_it_comes"]
    assert after(message.contact_id, topic="newsletter") == "accepted"
    assert after(message.contact_id, topic="offers") == "suppressed:unsubscribe"
    assert after(message.contact_id, topic="brand_new") == "suppressed:consent"
    assert after(message.contact_id) == "suppressed:consent"


def test_bounces_complaints_and_words_to_us_are_not_released_and_the_page_says_so():
    message = sent()
    for reason in ("hard_bounce", "complaint"):
        suppression.suppress(
            channel="email", address="ada@example.com", scope="all", reason=reason, source="api", now=clock.now()
        )  # fmt: skip
    unsubscribing.unsubscribe(path(message).rpartition("/")[2], source="page", now=clock.now())
    page = browser().post(path(message), {**SAVE, "channel": "email", "everything_else": "1"})
    assert {("all", "hard_bounce"), ("all", "complaint")} == standing() - {
        ("newsletter", "unsubscribe"),
        ("offers", "unsubscribe"),
    }
    assert "for a reason that this page cannot change" in page.content.decode()
    assert after(message.contact_id) in {"suppressed:hard_bounce", "suppressed:complaint"}


def test_the_page_shows_what_was_said_elsewhere():
    message = sent()
    say(message.contact_id, DENIED, "offers")
    assert checked(browser().get(path(message))) == [each for each in ALL_ON if each != "topic:offers"]
    say(message.contact_id, DENIED)
    assert checked(browser().get(path(message))) == ["channel:email", "frequency:as_it_comes"]
    say(message.contact_id, GRANTED, "email")  # by e-mail all the same
    assert checked(browser().get(path(message))) == [each for each in ALL_ON if each != "topic:offers"]
    unsubscribing.unsubscribe(path(message).rpartition("/")[2], source="one_click", now=clock.now())
    page = browser().get(path(message))
    assert "channel:email" not in checked(page) and "nothing will be sent to you" in page.content.decode()


@pytest.mark.parametrize("topic", ["newsletter", "", "brand_new"])
@pytest.mark.parametrize(
    "words",
    [
        [],
        [("denied", "")],
        [("denied", ""), ("granted", "newsletter")],
        [("granted", "newsletter"), ("denied", "")],
        [("denied", ""), ("granted", "email")],
        [("granted", "email"), ("denied", "")],
        [("denied", "newsletter")],
        [("denied", ""), ("granted", "")],
        [("denied", "email")],
        [("granted", "newsletter"), ("denied", ""), ("granted", "email")],
    ],
)
@pytest.mark.parametrize("default", ["opt_out", "opt_in"])
def test_the_page_and_the_gate_agree(settings, default, words, topic):
    settings.MARKETING_CONSENT = default
    settings.TOPICS = {"newsletter": "N", "brand_new": "B"}
    contact = making.contact()
    for state, about in words:
        say(contact.pk, state, about)
    choices = consent.marketing_choices(contact.pk, topics=["newsletter", "brand_new"])
    shown = choices.channels["email"] and (choices.topics[topic] if topic else choices.everything_else)
    assert shown == (not consent.marketing_denied([contact.pk], [topic], ["email"]))


def test_a_restriction_is_shown_as_a_block_and_not_lifted():
    message = sent()
    say(message.contact_id, DENIED, category="data_processing")
    page = browser().post(path(message), {**SAVE, "topic": "newsletter", "channel": "email"})
    assert 'class="note"' in page.content.decode()
    assert after(message.contact_id, topic="newsletter") == "suppressed:consent"


@pytest.mark.parametrize(
    ("name", "cap"),
    [("one_a_day", {"per_day": 1}), ("one_a_week", {"per_day": 1, "per_week": 1}), ("as_it_comes", None)],
)
def test_the_frequency_becomes_the_contacts_cap(name, cap):
    message = sent(frequency_cap={"per_day": 7})
    page = browser().get(path(message))
    assert "frequency:as_it_is" in checked(page)
    page = browser().post(path(message), {**SAVE, "topic": ["newsletter", "offers"], "everything_else": "1",
                                          "channel": "email", "frequency": name})  # fmt: skip
    assert f"frequency:{name}" in checked(page) and "as_it_is" not in page.content.decode()
    assert Contact.objects.get(pk=message.contact_id).frequency_cap == cap
    change = ContactChange.objects.get(name="frequency_cap")
    assert (change.old, change.new, change.source) == ({"per_day": 7}, cap, "preferences")
    assert ConsentRecord.objects.count() == 0  # no other choice was made


def test_the_same_again_records_nothing():
    message = sent()
    for _ in range(2):
        browser().post(path(message), {**SAVE, "topic": "newsletter", "channel": "email"})
    assert ConsentRecord.objects.count() == 4


def test_what_the_page_did_not_offer_cannot_be_said():
    message = sent()
    form = {**SAVE, "topic": ["newsletter", "offers", "all", "email", "x\x00", "nothing"], "everything_else": "1",
            "channel": ["email", "sms", "all"], "frequency": "hourly"}  # fmt: skip
    page = browser().post(path(message), form)
    assert checked(page) == ALL_ON
    assert (ConsentRecord.objects.count(), standing()) == (0, set())


@pytest.mark.parametrize("body", [{}, {"List-Unsubscribe": "One-Click"}, {"form": "another"}])
def test_a_post_that_is_not_the_form_saves_nothing(body):
    message = sent()
    page = browser().post(path(message), body)
    assert page.status_code == 200 and checked(page) == ALL_ON
    assert "Your choices are saved" not in page.content.decode() and standing() == set()


def test_telephone_and_devices_are_offered_where_there_are_any_and_stopped_at_their_own_addresses():
    message = sent(phone="+4915112345678")
    page = browser().get(path(message))
    assert "channel:sms" in checked(page) and "channel:push" not in checked(page)
    assert "5678" not in page.content.decode()
    browser().post(
        path(message), {**SAVE, "topic": ["newsletter", "offers"], "everything_else": "1", "channel": "email"}
    )
    assert standing() == {("sms", "unsubscribe")}
    assert Suppression.objects.get().address.channel == "sms"
    version = making.template("text", channel="sms", html="", subject="", text="Hi")
    assert after(message.contact_id, channel="sms", version_id=version) == "suppressed:unsubscribe"
    assert after(message.contact_id) == "accepted"


def test_topics_are_those_declared_and_those_of_the_contacts_own_messages(settings):
    settings.TOPICS = {}
    message = sent()
    assert "News and offers" in browser().get(path(message)).content.decode()
    after(message.contact_id, topic="partner_news")
    after(message.contact_id, topic="receipts", message_class="transactional")
    say(message.contact_id, DENIED, "surveys")
    page = browser().get(path(message)).content.decode()
    assert "partner news" in page and "surveys" in page and "Everything else" in page
    assert "receipts" not in page.replace("such as receipts", "")


def test_it_is_in_the_contacts_language_with_the_topics_names():
    page = browser(**{"Accept-Language": "fr"}).get(path(sent(locale="de-DE"))).content.decode()
    assert '<html lang="de" dir="ltr">' in page
    assert "Rundbrief" in page and "Offers &amp; sales" in page and "Speichern" in page
    page = browser(**{"Accept-Language": "ar"}).get(path(sent("eve@example.com"))).content.decode()
    assert '<html lang="ar" dir="rtl">' in page


def test_unknown_and_made_up_tokens_and_the_erased_get_one_page(client):
    message = sent()
    Contact.objects.filter(pk=message.contact_id).update(erased_at=clock.now())
    for method in ("get", "post"):
        known, unknown, nonsense = (
            getattr(browser(), method)(where, SAVE)
            for where in (
                path(message),
                f"/preferences/{unsubscribing.token_of(str(uuid4()))}",
                "/preferences/nonsense/",
            )
        )
        assert known.status_code == unknown.status_code == nonsense.status_code == 200
        assert known.content == unknown.content == nonsense.content
        assert b"This link does not work" in known.content
    assert ConsentRecord.objects.count() == 0


def test_a_merged_contacts_link_means_the_survivor():
    from contacts import merging

    message = sent()
    survivor = making.contact("sol@example.com")
    transactions.run(
        lambda now: merging.merge(
            survivor_id=survivor.pk, absorbed_id=message.contact_id, source="api", actor="", now=now
        )
    )
    browser().post(path(message), {"all_off": "1"})
    assert set(ConsentRecord.objects.filter(source="preferences").values_list("contact_id", flat=True)) == {survivor.pk}
    assert Address.objects.get(pk=Suppression.objects.first().address_id).shown == "ada@example.com"


def test_too_many_visits_from_one_network_are_put_off_and_others_are_not(monkeypatch):
    monkeypatch.setattr(visits, "A_MINUTE", 3)
    message = sent()
    answers = [browser().get(path(message)).status_code for _ in range(4)]
    assert answers == [200, 200, 200, 429]
    late = browser().get(path(message))
    assert late["Retry-After"] == "60" and b"One moment" in late.content and b"noindex" in late.content
    assert browser().get(path(message), REMOTE_ADDR="192.0.2.9").status_code == 200
    assert browser().post(f"/u/{path(message).rpartition('/')[2]}").status_code == 200  # leaving is never put off


def test_without_redis_everybody_may_enter(settings):
    from contacts import redis_index

    message = sent()
    there, settings.REDIS_URL = settings.REDIS_URL, "redis://127.0.0.1:1/0"
    redis_index._client.cache_clear()
    try:
        assert browser().get(path(message)).status_code == 200
    finally:
        settings.REDIS_URL = there
        redis_index._client.cache_clear()
