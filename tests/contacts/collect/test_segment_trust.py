"""What a browser's key may say about whom: the table in `trust`, row by row. And who may use it at all."""

from __future__ import annotations

import pytest
import redis

from contacts import redis_index
from contacts.collect.segment import quota, senders
from contacts.models import Contact
from tests.contacts.collect.segment import (
    Producer,
    counted,
    events_of,
    give_secret,
    make_write_key,
    named,
    quarantined,
    rows,
    stored,
    user,
    user_hash,
)
from tests.contacts.conftest import together

pytestmark = pytest.mark.django_db

PAGE = {"type": "page", "anonymousId": "a"}


@pytest.fixture
def server() -> Producer:
    """Makes Ada known."""
    server = Producer(make_write_key("server"))
    server.send({"type": "identify", "userId": "ada", "traits": {"email": "ada@example.com", "plan": "pro"}})
    return server


@pytest.fixture
def browser() -> Producer:
    return Producer(make_write_key("browser"))


@pytest.fixture
def proven() -> tuple[Producer, str]:
    """A key with an identity secret."""
    key = make_write_key("browser")
    return Producer(key), give_secret(key)


def profile(contact: Contact) -> tuple:
    contact.refresh_from_db()
    return contact.email, contact.phone, contact.locale, contact.attributes


# -- without an identity secret ----------------------------------------------------------------------------------------


def test_a_new_visitor_is_created_with_the_traits_of_their_first_identify(browser):
    browser.send(PAGE, {"type": "identify", "anonymousId": "a", "userId": "bob", "traits": {"plan": "free"}})
    assert user("bob").attributes == {"plan": "free"}
    assert events_of(user("bob")) == ["page_viewed", "contact_identified"]
    assert stored()[1][1] == {"traits_taken": True}


def test_the_traits_of_an_anonymous_visitor_are_taken(browser):
    browser.send({"type": "identify", "anonymousId": "a", "traits": {"theme": "dark", "email": "x@example.com"}})
    contact = named("anonymous_id", "a")
    assert profile(contact) == ("x@example.com", "", "", {"theme": "dark"})


def test_the_first_identify_of_a_visitor_may_come_after_their_first_event(browser):
    browser.send({"type": "track", "event": "viewed", "userId": "bob"})
    browser.send({"type": "identify", "userId": "bob", "traits": {"email": "bob@example.com"}})
    assert user("bob").email == "bob@example.com"
    browser.send({"type": "identify", "userId": "bob", "messageId": "2", "traits": {"email": "thief@example.com"}})
    assert user("bob").email == "bob@example.com"
    assert named("email", "thief@example.com") is None


def test_of_whom_a_server_ever_spoke_no_page_says_the_first_word(server, browser):
    server.send({"type": "track", "event": "paid", "userId": "bob"})
    browser.send({"type": "identify", "userId": "bob", "traits": {"email": "thief@example.com", "plan": "gone"}})
    assert profile(user("bob")) == ("", "", "", {})
    assert named("email", "thief@example.com") is None


@pytest.mark.django_db(transaction=True)
def test_whom_somebody_faster_describes_nobody_else_does():
    key = make_write_key("browser")

    def describing(who: str, rival: int):
        said = {"email": f"{who}.{rival}@example.com", "by": rival}
        return lambda: Producer(key).send(
            {"type": "identify", "userId": who, "traits": said, "messageId": said["email"]}
        )

    for who in ("bob", "eve", "kim", "lee"):
        together(*(describing(who, rival) for rival in range(4)))
        winner = user(who).attributes["by"]
        assert user(who).email == f"{who}.{winner}@example.com"
        losers = [rival for rival in range(4) if rival != winner]
        assert [named("email", f"{who}.{rival}@example.com") for rival in losers] == [None] * 3


@pytest.mark.parametrize("anonymous", [{}, {"anonymousId": "a"}])
def test_nobody_changes_a_known_contact(server, browser, anonymous):
    before = profile(user("ada"))
    traits = {"plan": "gone", "email": "thief@example.com", "phone": "+4930123456", "locale": "xx", "name": "Eve"}
    browser.send({"type": "identify", "userId": "ada", "traits": traits, **anonymous})
    assert profile(user("ada")) == before
    assert named("email", "thief@example.com") is None
    assert named("phone", "+4930123456") is None
    assert stored()[-1][:2] == ("contact_identified", {"traits_taken": False})


def test_nobody_changes_a_known_contact_through_the_device_that_they_used(server, browser):
    browser.send({"type": "identify", "userId": "ada", "anonymousId": "a"})
    before = profile(user("ada"))
    browser.send({"type": "identify", "anonymousId": "a", "traits": {"plan": "gone", "email": "thief@example.com"}})
    assert profile(user("ada")) == before


def test_nobody_becomes_a_known_contact_by_their_address(server, browser):
    browser.send({"type": "identify", "userId": "eve", "traits": {"email": "ada@example.com", "name": "Eve"}})
    assert user("eve") != user("ada")
    assert profile(user("eve")) == ("", "", "", {"name": "Eve"})
    assert profile(user("ada"))[3] == {"plan": "pro"}


def test_the_address_of_a_known_contact_names_nobody_from_a_page(server, browser):
    browser.send({"type": "identify", "traits": {"email": "ada@example.com", "plan": "gone"}})
    assert profile(user("ada"))[3] == {"plan": "pro"}
    assert quarantined() == [("browser", "unproven")]


def test_events_of_a_known_contact_are_appended_and_join_no_device(server, browser):
    browser.send({"type": "track", "event": "viewed", "userId": "ada", "anonymousId": "thief's"})
    assert events_of(user("ada")) == ["contact_identified", "viewed"]
    assert named("anonymous_id", "thief's") is None


@pytest.mark.parametrize("kind", ["identify", "alias"])
def test_history_alone_joins_a_known_contact(server, browser, kind):
    browser.send(PAGE)
    claim = {"anonymousId": "a"} if kind == "identify" else {"previousId": "a"}
    browser.send({"type": kind, "userId": "ada", **claim})
    assert "page_viewed" in events_of(user("ada"))
    assert profile(user("ada"))[3] == {"plan": "pro"}


@pytest.mark.parametrize("kind", ["identify", "alias"])
def test_a_profile_that_a_visitor_wrote_for_themselves_does_not_join_a_known_contact(server, browser, kind):
    browser.send({"type": "identify", "anonymousId": "a", "traits": {"plan": "gone", "vip": True}})
    claim = {"anonymousId": "a"} if kind == "identify" else {"previousId": "a"}
    browser.send({"type": kind, "userId": "ada", "messageId": "2", **claim})
    assert profile(user("ada"))[3] == {"plan": "pro"}
    assert rows("SELECT count(*) FROM contact_merges") == [(0,)]
    assert quarantined() == ([] if kind == "identify" else [("browser", "unproven")])


def test_taking_the_profile_away_again_does_not_make_it_history_alone(server, browser):
    browser.send({"type": "identify", "anonymousId": "a", "messageId": "1", "traits": {"plan": "gone"}})
    browser.send({"type": "identify", "anonymousId": "a", "messageId": "2", "traits": {"plan": None}})
    browser.send({"type": "identify", "anonymousId": "a", "userId": "ada", "messageId": "3"})
    assert profile(user("ada"))[3] == {"plan": "pro"}


def test_a_known_contact_is_not_aliased_away(server, browser):
    browser.send({"type": "alias", "previousId": "ada", "userId": "eve"})
    assert named("external_id", "eve") is None
    assert quarantined() == [("browser", "conflict")]


def test_the_messages_of_one_visit_describe_one_new_contact(browser):
    browser.send(
        {"type": "identify", "userId": "bob", "messageId": "1", "traits": {"plan": "free"}},
        {"type": "identify", "userId": "bob", "messageId": "2", "traits": {"name": "Bob"}},
    )
    assert user("bob").attributes == {"plan": "free", "name": "Bob"}


# -- with one ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["context", "traits", "top"])
def test_with_a_proof_a_known_contact_says_new_things(server, proven, place):
    browser, secret = proven
    proof = {"user_hash": user_hash(secret, "ada").upper()}
    message = {"type": "identify", "userId": "ada", "anonymousId": "a", "traits": {"plan": "team"}}
    if place == "top":
        message |= proof
    else:
        message[place] = {**message.get(place, {}), **proof}
    browser.send(PAGE, message)
    assert profile(user("ada")) == ("ada@example.com", "", "", {"plan": "team"})
    assert "page_viewed" in events_of(user("ada"))
    assert rows("SELECT count(*) FROM contact_events WHERE (context || properties)::text LIKE '%%user_hash%%'") == [
        (0,)
    ]


@pytest.mark.parametrize("kind", ["identify", "alias", "group"])
@pytest.mark.parametrize("proof", ["", "0" * 64, "another's", "é"])
def test_without_one_nobody_says_who_they_are(server, proven, kind, proof):
    browser, secret = proven
    proof = user_hash(secret, "eve") if proof == "another's" else proof
    before = Contact.objects.count(), profile(user("ada"))
    for who in ("ada", "new"):
        message = {"userId": who, "anonymousId": "a", "previousId": "a", "groupId": "g", "traits": {"plan": "gone"}}
        browser.send({"type": kind, "context": {"user_hash": proof}, **message})
    assert (Contact.objects.count(), profile(user("ada"))) == before
    assert quarantined() == [("browser", "unproven")] * 2


def test_without_one_an_event_is_of_the_visitor_alone(server, proven):
    browser, _ = proven
    browser.send({"type": "track", "event": "viewed", "userId": "ada", "anonymousId": "a"})
    browser.send({"type": "track", "event": "viewed", "userId": "ada"})
    assert events_of(user("ada")) == ["contact_identified"]
    assert events_of(named("anonymous_id", "a")) == ["viewed"]
    assert quarantined() == [("browser", "unproven")]


def test_with_a_proof_nobody_takes_the_address_of_another(server, proven):
    browser, secret = proven
    server.send({"type": "identify", "traits": {"email": "bob@example.com"}})
    for who in ("ada", "eve"):
        context = {"user_hash": user_hash(secret, who)}
        browser.send({"type": "identify", "userId": who, "traits": {"email": "bob@example.com"}, "context": context})
    assert user("ada").email == "ada@example.com"
    assert user("eve").email == ""
    assert named("email", "bob@example.com").external_id == ""


# -- what and from where -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "type",
    [
        *("email_opened", "Email_Clicked", " email_opened ", "sms_sent", "tag_added", "list_joined", "segment_entered"),
        *("workflow_exited", "lifecycle_changed", "score_threshold_crossed", "send_suppressed_frequency_cap"),
    ],
)
def test_no_page_says_what_only_we_say(server, browser, type):
    browser.send({"type": "track", "event": type, "anonymousId": "a"}, PAGE)
    server.send({"type": "track", "event": type, "userId": "ada"})
    assert [(row[0], row[2]) for row in stored()[1:]] == [("page_viewed", "browser"), (type, "segment")]
    assert quarantined() == [("browser", "not_allowed")]


def test_a_key_sends_the_types_that_it_may_and_says_who_somebody_is():
    browser = Producer(make_write_key("browser", events=["page_viewed", "Quote Requested"]))
    messages = [{"type": "track", "event": event} for event in ("Quote Requested", "quote requested", "x")]
    messages += [{"type": kind} for kind in ("page", "screen", "identify")]
    browser.send(*({**message, "anonymousId": "a"} for message in messages))
    assert [row[0] for row in stored()] == ["Quote Requested", "page_viewed", "contact_identified"]
    assert counted()["rejected:not_allowed"] == 3


@pytest.mark.parametrize(
    ("origin", "admitted"),
    [
        ("https://shop.example", True),
        ("https://SHOP.example", True),
        ("http://shop.example", False),
        ("https://shop.example:8443", False),
        ("https://shop.example.evil.test", False),
        ("https://www.partner.test", True),
        ("https://a.b.partner.test", True),
        ("https://partner.test", False),
        ("https://evilpartner.test", False),
        ("http://www.partner.test", False),
        ("null", False),
        ("", False),
    ],
)
def test_a_key_is_used_by_pages_of_its_origins_alone(origin, admitted):
    browser = Producer(make_write_key("browser", origins=["https://Shop.example:443/", "https://*.partner.test"]))
    headers = {"Origin": origin} if origin else {}
    response = browser.post("/v1/p", PAGE, **headers)
    if admitted:
        assert response.status_code == 200
    else:
        assert response.status_code == 403
        assert response.json()["code"] == "origin_refused"
    assert len(stored()) == int(admitted)


def test_a_page_cannot_use_up_the_message_ids_of_a_server(server, browser):
    browser.send({**PAGE, "messageId": "order-1"}, {**PAGE, "messageId": "order-1"})
    server.send({"type": "track", "event": "ordered", "userId": "ada", "messageId": "order-1"})
    assert [row[0] for row in stored()[1:]] == ["page_viewed", "ordered"]
    assert counted()["duplicate"] == 1


def test_a_page_cannot_use_up_the_minute_of_an_event_without_an_id(server, browser):
    viewed = {"type": "track", "event": "ordered", "userId": "ada"}
    browser.send(viewed, viewed)
    server.send(viewed)
    assert [row[0] for row in stored()[1:]] == ["ordered", "ordered"]
    assert counted()["duplicate"] == 1


def test_a_write_key_reads_nothing(browser):
    bearer = {"Authorization": f"Bearer {browser.key}"}
    for path in ("/api/v1/contacts/", "/api/v1/events", "/v1/contacts"):
        assert browser.call("GET", path, **bearer).status_code in {401, 403, 404, 405}
    assert browser.post("/api/v1/events", {"events": []}, **bearer).status_code == 403


# -- bots and floods ---------------------------------------------------------------------------------------------------

HEADLESS = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/140.0.0.0 Safari/537.36"
)


@pytest.mark.parametrize(
    ("agent", "bot"),
    [
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", True),
        ("Mozilla/5.0 (compatible; bingbot/2.0)", True),
        ("facebookexternalhit/1.1", True),
        ("Mozilla/5.0 (compatible; AhrefsBot/7.0)", True),
        ("GPTBot/1.2", True),
        ("SomeCrawler", True),
        (HEADLESS, False),
        ("Mozilla/5.0 (Linux; Android 9; CUBOT X19) AppleWebKit/537.36", False),
        ("analytics-python/2.4.0", False),
        ("", False),
    ],
)
def test_programs_that_say_they_are_bots_are_known(agent, bot):
    assert senders.is_bot(agent) is bot


def test_a_bot_is_answered_and_counted_and_stores_nothing(server, browser):
    agent = {"User_Agent": "Mozilla/5.0 (compatible; Googlebot/2.1)"}
    assert browser.post("/v1/batch", {"batch": [PAGE, PAGE]}, **agent).content == b'{"success": true}'
    assert server.post("/v1/page", {"userId": "ada"}, **agent).status_code == 200
    assert [row[2] for row in stored()] == ["segment", "segment"]
    assert counted()["bot"] == 2


def flood(browser: Producer, **headers: str):
    return browser.post("/v1/batch", {"batch": [{"type": "page", "anonymousId": "a"}] * 60}, **headers)


@pytest.fixture
def narrow(settings):
    settings.BROWSER_EVENTS_PER_SECOND = 1  # fifty at once


@pytest.mark.usefixtures("narrow")
def test_an_address_that_sends_too_much_has_to_wait(browser, server):
    assert flood(browser).status_code == 200, "a full bucket takes a batch of any size"
    response = flood(browser)
    assert response.status_code == 429
    assert response.json()["code"] == "rate_limited"
    assert 40 <= int(response["Retry-After"]) <= 50
    assert flood(server).status_code == 200, "a server's key has no quota"
    assert flood(Producer(make_write_key("browser"))).status_code == 200, "another key has its own"


@pytest.mark.usefixtures("narrow")
def test_what_a_proxy_says_counts_only_behind_one_of_ours(browser, settings):
    flood(browser)
    assert flood(browser, X_Forwarded_For="198.51.100.7").status_code == 429
    settings.BEHIND_PROXY = True
    assert flood(browser, X_Forwarded_For="198.51.100.7").status_code == 200
    assert flood(browser, X_Forwarded_For="203.0.113.9, 198.51.100.7").status_code == 429, "the first is anybody's word"
    assert flood(browser, X_Forwarded_For="2001:db8:1:2::1").status_code == 200
    assert flood(browser, X_Forwarded_For="2001:db8:1:2:ffff::9").status_code == 429, "one household"
    assert flood(browser, X_Forwarded_For="2001:db8:1:3::1").status_code == 200


@pytest.mark.usefixtures("narrow")
def test_without_redis_events_are_taken_and_each_process_keeps_count(browser, monkeypatch):
    nowhere = redis.Redis(port=1, socket_connect_timeout=0.1)
    with monkeypatch.context() as patch:
        patch.setattr(redis_index, "connection", lambda: nowhere)
        patch.setattr(quota, "_local", quota.LocalBuckets())
        assert flood(browser).status_code == 200
        assert flood(browser).status_code == 429


@pytest.mark.usefixtures("narrow")
def test_the_bucket_of_a_process_fills_again(monkeypatch):
    buckets, waits = quota.LocalBuckets(), []
    with monkeypatch.context() as patch:
        for at, events in ((100.0, 50), (100.0, 10), (109.0, 10), (110.0, 10)):
            patch.setattr(quota, "monotonic", lambda at=at: at)
            waits.append(buckets.wait_for("a", events))
    assert waits == [0, 10, 1, 0]
