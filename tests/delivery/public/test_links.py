"""Links and pictures of our own: what is rewritten, where they lead, and what is written down."""

from __future__ import annotations

import base64
import json
import random
import re
import time
from datetime import timedelta
from html import unescape
from types import SimpleNamespace
from urllib.parse import quote, urlsplit

import pytest
import redis
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from contacts import clock, consent, redis_index
from delivery import gate, providers, sending
from delivery.authoring import mustache
from delivery.authoring.rendering import Rendered
from delivery.models import Feedback, PostTally, SendLogEntry, WebhookDelivery
from delivery.providers.base import ACCEPTED, Answer, Entry, Provider
from delivery.public import hits, links
from delivery.webhooks import feedback
from tests.delivery import making

MID = "6f1c5f5e-8d2c-4a0e-9d53-0f6b1f3f2a11"
BROWSER = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
)
_HREF = re.compile(r'href\s*=\s*"([^"]*)"')


def tracked(html: str, *, text: str = "text https://a.example/") -> str:
    return links.tracked(Rendered("subject", html, text), mid=MID, hosts=links.hosts(html)).html


def token_in(html: str) -> str:
    return re.search(r"/c/([^\"]+)", html)[1]


def leads_to(target: str) -> str:
    """The path of our link to a target."""
    (found,) = _HREF.findall(tracked(f'<a href="{target.replace("&", "&amp;")}">x</a>'))
    return urlsplit(found).path


def follow(target: str = "https://a.example/", **headers: str):
    given = {"User-Agent": BROWSER} | {name.replace("_", "-"): value for name, value in headers.items()}
    return Client().get(leads_to(target), headers=given)


# -- rewriting ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "anchor",
    [
        '<a href="https://a.example/x?y=1&amp;z=2">',
        "<a class='b' href='https://a.example/x?y=1&amp;z=2' style='c'>",
        "<A HREF=https://a.example/x?y=1&amp;z=2>",
        '<a\n  title="a > b"\n  href = "https://a.example/x?y=1&amp;z=2">',
        '<area shape="rect" href="https://a.example/x?y=1&amp;z=2">',
        '<!--[if mso]><a href="https://a.example/x?y=1&amp;z=2"><![endif]-->',
        '<a data-href="https://b.example" href="  https://a.example/x?y=1&amp;z=2 ">',
    ],
)
def test_a_link_leads_where_it_led_through_us(anchor, settings):
    html = tracked(anchor)
    assert f"{settings.PUBLIC_URL}/c/" in html
    assert links.link(token_in(html).split(">")[0].split("'")[0]) == links.Link(MID, "https://a.example/x?y=1&z=2")


@pytest.mark.parametrize(
    "target",
    [
        "mailto:a@b.example", "tel:+49301", "#top", "", "/relative", "//a.example/x", "javascript:alert(1)",
        "JavaScript:alert(1)", "data:text/html,x", "ftp://a.example/", "https://", "http:///x", "https:a.example",
        "https://a.example:99999/", "https://a.example\\@b.example/", "https://a.example/ b", "ht\ttps://a.example",
        "https://a.example/\u2028x", "{{not_filled}}", "cid:image", "https://[::1", "https://a.example/" + "x" * 2000,
    ],
)  # fmt: skip
def test_what_is_no_plain_web_address_is_left_alone(target):
    anchor = f'<a href="{target}">x</a>'
    assert tracked(anchor).startswith(anchor)


@pytest.mark.parametrize(
    ("template", "data", "signed"),
    [
        ("<a href='{{w}}'>", {"w": "https://evil.example/"}, False),
        ("<a href='https://{{w}}/x'>", {"w": "evil.example"}, False),
        ("<a href='https://shop.example{{w}}'>", {"w": ".evil.example/"}, False),
        ("<a href='https://shop.example{{w}}'>", {"w": "@evil.example/"}, False),
        ("<a href='https://{{w}}.shop.example/'>", {"w": "evil.example/?"}, False),
        ("<a href='{{#w}}{{w}}{{/w}}{{^w}}https://shop.example/{{/w}}'>", {"w": "https://evil.example/"}, False),
        ("<a href='{{#w}}{{w}}{{/w}}{{^w}}https://shop.example/{{/w}}'>", {}, True),
        ("{{{w}}}", {"w": "<a href='https://evil.example/'>"}, False),
        ("{{=<% %>=}}<a href='https://<% w %>'>", {"w": "evil.example/"}, False),
        ("<a href='https://shop.example/{{w}}'>", {"w": "x?y=1"}, True),
        ("<a href='https://SHOP.example?id={{w}}'>", {"w": "https://evil.example/"}, True),
        ("<a href='{{w}}'>", {"w": "https://shop.example:8443/"}, False),
    ],
)
@pytest.mark.parametrize("beside", ["", "<p>And <a href='https://shop.example/'>here</a></p>"])
def test_only_what_the_author_wrote_says_where_a_link_of_ours_may_lead(template, data, signed, beside):
    """Whoever may set an attribute through a browser's key must not get our signature under an address."""
    filled = mustache.render(template, data, escape=True)
    changed = links.tracked(Rendered("subject", filled, ""), mid=MID, hosts=links.hosts(template + beside)).html
    assert ("/c/" in changed) is signed
    assert signed or changed.startswith(filled)


def test_a_host_that_a_value_is_a_part_of_was_not_written_in_full():
    assert links.hosts("'https://a{{x}}.example/' 'https://a.example{{x}}' 'https://b.example/{{x}}'") == {"b.example"}


@pytest.mark.django_db
def test_an_address_from_an_attribute_goes_out_as_it_is(plain):
    words = "<p><a href='{{website}}'>Your page</a> <a href='https://shop.example/{{website}}'>ours</a></p>"
    ada = making.contact("ada@example.com", attributes={"website": "https://evil.example/"})
    making.message(ada.pk, version_id=making.template("pages", html=words))
    making.deliver()
    (letter,) = plain
    assert "href='https://evil.example/'" in letter.html
    assert [links.link(each.rpartition("/")[2]).url for each in _HREF.findall(letter.html) if "/c/" in each] == [
        "https://shop.example/https://evil.example/"
    ]


def test_the_ways_out_are_never_stood_in_front_of(settings):
    for path in ("/u/token", "/preferences/token", "/confirm/token", "/c/token"):
        anchor = f'<a href="{settings.PUBLIC_URL}{path}">x</a>'
        assert tracked(anchor).startswith(anchor)


def test_nothing_else_of_a_mail_changes(settings):
    html = '<html><body><img src="https://a.example/i.png"><link href="https://a.example/c.css"><p>href="https://x"</p></body></html>'
    changed = links.tracked(Rendered("subject", html, "text"), mid=MID, hosts=links.hosts(html))
    assert (changed.subject, changed.text) == ("subject", "text")
    picture = f'<img src="{links.picture_url(MID)}" width="1" height="1" alt="" style="display:block;border:0">'
    assert changed.html == html.replace("</body>", picture + "</body>")
    without = Rendered("subject", "", "text")
    assert links.tracked(without, mid=MID, hosts=frozenset()) == without


def test_a_link_that_nobody_sees_is_there_only_if_it_is_wanted(settings):
    assert "display:none" not in tracked("<p>x</p>")
    settings.LINK_CANARY = True
    (found,) = _HREF.findall(tracked("<p>x</p>"))
    assert links.link(urlsplit(found).path.rpartition("/")[2]).is_canary


def test_links_stay_short(settings):
    for target in ("https://a.example/", "https://a.example/" + "a-long-path/" * 40 + "?utm_source=mail&utm_term=x"):
        assert len(settings.PUBLIC_URL + leads_to(target)) < 2000
    noise = base64.urlsafe_b64encode(random.Random(1).randbytes(1400)).decode()
    anchor = f'<a href="https://a.example/?{noise}">'
    assert tracked(anchor).startswith(anchor), "one that would be too long stays as it is"


@pytest.mark.parametrize(
    "html", ['<a href="x' * 9000, "<a " * 60_000, '<a b="' + "'" * 90_000, "<a " + 'b="c" ' * 30_000]
)
def test_a_hostile_page_costs_no_more_than_its_length(html):
    assert tracked(html)


# -- tokens ------------------------------------------------------------------------------------------------------------


@given(
    target=st.from_regex(
        r"https?://[a-z]{1,20}\.example(/[a-zA-Z0-9%_.~-]{0,60}){0,3}(\?[a-z]=\w{0,20})?", fullmatch=True
    )
)
def test_a_token_says_what_was_signed_and_nothing_else_is_one(target):
    token = leads_to(target).rpartition("/")[2]
    assert re.fullmatch(r"[A-Za-z0-9_-]+", token)
    assert links.link(token) == links.Link(MID, target)
    assert links.opened(token) is None
    for at in range(0, len(token), 7):
        other = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
        assert links.link(other) in (None, links.Link(MID, target))


@pytest.mark.parametrize("token", ["", "x", "=" * 50, "A" * 60, "ÄÖÜ", "a" * 5000, "....", "%00", "\x00"])
def test_what_we_did_not_make_is_no_token(token):
    assert links.link(token) is None and links.opened(token) is None


def test_a_token_survives_what_mail_programs_do_to_it():
    token = leads_to("https://a.example/?x=ä&y=%20").rpartition("/")[2]
    expected = links.Link(MID, "https://a.example/?x=ä&y=%20")
    assert quote(token, safe="") == token and unescape(token) == token
    for ending in (".", ")", ">", '"', ",", "]", "*", "==", "%3D"[:0]):
        assert links.link(token + ending) == expected


def test_links_of_the_old_key_lead_on_and_those_of_another_do_not(settings):
    token, picture = leads_to("https://a.example/").rpartition("/")[2], urlsplit(links.picture_url(MID)).path[3:-4]
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "a new key" * 8
    assert links.link(token) and links.opened(picture) == MID
    settings.SECRET_KEY_FALLBACKS = []
    assert links.link(token) is None and links.opened(picture) is None


# -- following ---------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_click_leads_on_and_is_one_insert():
    path = leads_to("https://a.example/x?y=ü")
    with CaptureQueriesContext(connection) as captured:
        answer = Client().get(path, headers={"User-Agent": BROWSER})
    assert (answer.status_code, answer["Location"]) == (302, "https://a.example/x?y=%C3%BC")
    assert "no-store" in answer["Cache-Control"] and answer["Referrer-Policy"] == "no-referrer"
    assert not answer.cookies
    assert [query["sql"].split()[0] for query in captured if "INSERT" in query["sql"]] == ["INSERT"]
    told = json.loads(bytes(WebhookDelivery.objects.get().body))
    assert (told["mid"], told["url"], told["kind"]) == (MID, "https://a.example/x?y=ü", "clicked")
    assert "127.0.0.1" not in json.dumps(told), "no network address is kept"


@pytest.mark.django_db
@pytest.mark.parametrize("query", ["", "?url=https://evil.example", "?next=//evil.example", "/"])
def test_nothing_in_the_address_can_lead_elsewhere(query):
    answer = Client().get(leads_to("https://a.example/") + query)
    assert answer["Location"] == "https://a.example/"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "token", ["x", "https:%2F%2Fevil.example", "A" * 80, "javascript:alert(1)", "%0d%0aLocation:x"]
)
def test_a_token_that_is_not_ours_leads_to_a_page_that_says_so(token):
    answer = Client().get(f"/c/{token}")
    assert answer.status_code == 404 and "Location" not in answer
    assert "does not work" in answer.content.decode()
    assert Client(enforce_csrf_checks=True).post(f"/c/{token}").status_code == 405
    assert not WebhookDelivery.objects.exists()


@pytest.mark.django_db
def test_a_picture_is_a_picture_whosever_token_it_is():
    for path, written in ((urlsplit(links.picture_url(MID)).path, 1), ("/o/nonsense.gif", 1)):
        answer = Client().get(path)
        assert answer.status_code == 200 and answer["Content-Type"] == "image/gif"
        assert answer.content.startswith(b"GIF89a") and "no-store" in answer["Cache-Control"]
        assert WebhookDelivery.objects.count() == written


@pytest.mark.django_db
@pytest.mark.parametrize("header", ["Sec-GPC", "DNT"])
def test_who_asks_not_to_be_tracked_is_led_on_and_not_written_down(header):
    assert follow(**{header: "1"}).status_code == 302
    assert not WebhookDelivery.objects.exists()


@pytest.mark.django_db
def test_a_message_has_so_many_hits_an_hour(monkeypatch):
    monkeypatch.setattr(hits, "AN_HOUR", 3)
    assert [follow().status_code for _ in range(5)] == [302] * 5
    assert WebhookDelivery.objects.count() == 3


@pytest.mark.django_db
def test_without_redis_each_process_counts_by_itself(monkeypatch):
    def away() -> redis.Redis:
        raise redis.ConnectionError

    monkeypatch.setattr(hits, "redis_index", SimpleNamespace(connection=away, key=redis_index.key))
    monkeypatch.setattr(hits, "AN_HOUR", 2)
    monkeypatch.setattr(hits, "_local", hits.LocalCounts())
    assert [follow().status_code for _ in range(4)] == [302] * 4
    assert WebhookDelivery.objects.count() == 2


@pytest.mark.django_db
def test_who_follows_a_link_gets_there_also_when_nothing_can_be_written(monkeypatch):
    def fail(**_: object) -> None:
        raise DatabaseError

    monkeypatch.setattr(WebhookDelivery.objects, "create", fail)
    assert follow().status_code == 302


# -- from the mail to the event ----------------------------------------------------------------------------------------


class Plain(Provider):
    """One that sends, and tells of nothing."""

    name = "plain"
    is_throttled = False
    sent: list = []

    def deliver(self, letters, *, start_before):
        self.sent += list(letters)
        return {letter.mid: Answer(ACCEPTED) for letter in self.sent}


@pytest.fixture
def plain(settings, monkeypatch):
    known = {**providers.entries(), "plain": Entry("plain", Plain)}
    monkeypatch.setattr(providers, "entries", lambda: known)
    monkeypatch.setattr(feedback, "entries", lambda: known)
    settings.EMAIL_PROVIDER = "plain"
    Plain.sent.clear()
    return Plain.sent


@pytest.mark.django_db
def test_a_click_comes_home_as_an_event_of_its_contact(plain):
    message = making.message()
    making.deliver()
    (letter,) = plain
    link = next(href for href in _HREF.findall(letter.html) if "/c/" in href)
    making.change("UPDATE contact_send_log SET at = at - interval '1 minute'", [])
    Client().get(urlsplit(link).path, headers={"User-Agent": BROWSER})
    Client().head(urlsplit(link).path, headers={"User-Agent": BROWSER})
    Client().get(re.search(r"/o/[^\"]+", letter.html)[0], headers={"User-Agent": "Mozilla/5.0"})
    making.run(feedback.fold_batch)
    found = sorted(Feedback.objects.values_list("kind", "is_machine", "provider", "message_id"))
    assert found == [
        ("clicked", False, "links", message.pk), ("clicked", True, "links", message.pk),
        ("opened", True, "links", message.pk),
    ]  # fmt: skip
    tallied = PostTally.objects.filter(what__endswith="clicked").values_list("provider", flat=True)
    assert set(tallied) == {"plain"}, "who sent it, not who brought the news"
    clicks = [told for name, told in making.events(message.contact_id) if name == "email_clicked"]
    assert sorted(click["is_machine"] for click in clicks) == [False, True]
    assert {click["url"] for click in clicks} == {"https://shop.example/new"}
    assert "/u/" in letter.html and "/c/" not in letter.text


@pytest.mark.django_db
def test_a_click_right_after_the_claim_was_a_machines(plain):
    message = making.message()
    making.deliver()
    claimed_at = SendLogEntry.objects.get(message=message, kind="claimed").at
    for after in (0.5, 30):
        body = {"kind": "clicked", "mid": str(message.public_id), "url": "https://a.example/", "method": "GET"}
        WebhookDelivery.objects.create(
            provider="links", body=json.dumps(body).encode(), received_at=claimed_at + timedelta(seconds=after)
        )
    making.run(feedback.fold_batch)
    rows = sorted((row.is_machine, row.detail.get("machine", {}).get("sign")) for row in Feedback.objects.all())
    assert rows == [(False, None), (True, "too_soon")]


@pytest.mark.django_db
def test_who_denied_tracking_gets_the_links_as_they_were_written(plain):
    denier, other = making.contacts(2)
    version = making.template()
    with transaction.atomic():
        consent.record([consent.Consent(denier, "tracking", "denied")], source="test", now=clock.now())
    making.enqueue(*[making.request(who, version) for who in (denier, other)])
    making.deliver()
    assert sorted("/c/" in letter.html for letter in plain) == [False, True]
    assert sorted("/o/" in letter.html for letter in plain) == [False, True]


@pytest.mark.django_db
def test_a_provider_that_tracks_by_itself_is_told_whom_not_to(plain, monkeypatch):
    monkeypatch.setattr(Plain, "does_track", True)
    denier, other = making.contacts(2)
    version = making.template()
    with transaction.atomic():
        consent.record([consent.Consent(denier, "tracking", "denied")], source="test", now=clock.now())
    making.enqueue(*[making.request(who, version) for who in (denier, other)])
    making.deliver()
    assert sorted(letter.may_be_tracked for letter in plain) == [False, True]
    assert not any("/c/" in letter.html for letter in plain)


@pytest.mark.django_db
def test_consent_is_asked_once_a_batch(plain):
    class Telling(Plain):
        does_track = True

    def statements(provider: Provider, count: int) -> int:
        version = making.template()
        making.enqueue(*[making.request(who, version) for who in making.contacts(count)])
        found = gate.claim("urgent", limit=100, provider="plain", now=clock.now())
        assert len(found.claims) == count
        with CaptureQueriesContext(connection) as captured:
            sending.hand_over(provider, found.claims, start_before=time.monotonic() + 60)
        assert all(("/c/" in letter.html) is not provider.does_track for letter in plain)
        plain.clear()
        return len([query for query in captured if "consent_records" in query["sql"]])

    assert [statements(Plain(), 1), statements(Plain(), 20), statements(Telling(), 20)] == [1, 1, 1]
