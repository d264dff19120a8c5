"""The snippet in Chromium, on pages of another origin than the installation's."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.db import transaction

from contacts import clock
from contacts.collect import write_keys
from contacts.models import Contact, ContactEvent, ContactIdentity
from contacts.pages import installation
from tests.browser.visit import PATIENCE_SECONDS, becomes

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(90)]

AGREED = "<script>carillon.consent({tracking: true});</script>"


class Shop:
    """Somebody's website. Every address is a page whose head is `head`; below /elsewhere nobody is followed."""

    def __init__(self) -> None:
        self.head = ""
        shop = self

        class Pages(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                head = "" if self.path.startswith("/elsewhere") else shop.head
                body = f"<!doctype html><title>Page {self.path}</title>{head}<h1>{self.path}</h1>".encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    @contextmanager
    def open(self) -> Iterator[Shop]:
        thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()


@pytest.fixture
def key(transactional_db) -> str:
    with transaction.atomic():
        return write_keys.create_write_key(name="shop", kind="browser", now=clock.now())


@pytest.fixture
def shop(live_server, key, settings) -> Iterator[Shop]:
    settings.PUBLIC_URL = live_server.url
    with Shop().open() as shop:
        shop.head = installation.snippet_for(key)
        yield shop


@pytest.fixture
def visitor(browser) -> Iterator[Any]:
    """A page of a fresh browser, and what it sent: `visitor.sent` are the bodies."""
    context = browser.new_context()
    page = context.new_page()
    page.complaints, page.sent = [], []
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on("request", lambda request: request.method == "POST" and page.sent.append(json.loads(request.post_data)))
    yield page
    context.close()
    assert page.complaints == []


def until(happened: Callable[[], bool], page: Any) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not happened():
        assert time.monotonic() < deadline, (seen(), page.sent)
        page.wait_for_timeout(50)


def seen() -> list[str]:
    return list(ContactEvent.objects.order_by("id").values_list("type", flat=True))


def settled(page: Any) -> None:
    """Everything that was to be sent has been: the snippet pauses before it sends, and no answer is awaited."""
    page.wait_for_timeout(600)
    page.wait_for_load_state("networkidle")


def kept(page: Any) -> dict[str, str]:
    return page.evaluate("Object.assign({}, localStorage)")


def test_a_page_view_is_stored_once_with_what_belongs_to_it(shop, visitor):
    visitor.goto(f"{shop.url}/prices?utm_source=letter&plan=team#faq")
    until(lambda: len(seen()) >= 1, visitor)
    settled(visitor)
    event = ContactEvent.objects.get()
    assert (event.type, event.source, event.processed) == ("page_viewed", "browser", False)
    assert event.properties["path"] == "/prices"
    assert event.properties["url"] == f"{shop.url}/prices?utm_source=letter&plan=team"
    assert event.properties["title"].startswith("Page /prices")
    assert event.context["campaign"] == {"source": "letter"}
    assert event.context["timezone"] and event.context["locale"]


def test_without_an_answer_nothing_is_written_to_the_browser(shop, visitor):
    visitor.goto(shop.url)
    until(lambda: len(seen()) == 1, visitor)
    visitor.evaluate("carillon.track('looked_around')")
    until(lambda: len(seen()) == 2, visitor)
    assert kept(visitor) == {} and visitor.context.cookies() == []
    assert set(ContactEvent.objects.values_list("processed", flat=True)) == {False}
    assert len(set(ContactEvent.objects.values_list("contact_id", flat=True))) == 1


def test_whoever_agreed_is_known_again_on_the_next_page(shop, visitor):
    shop.head = shop.head.replace("</script>", "</script>" + AGREED, 1)
    visitor.goto(f"{shop.url}/one")
    until(lambda: len(seen()) == 1, visitor)
    visitor.evaluate("location.href = '/two'")
    until(lambda: len(seen()) == 2, visitor)
    assert set(ContactEvent.objects.values_list("contact_id", "processed")) == {(Contact.objects.get().pk, True)}
    assert ContactEvent.objects.latest("id").properties["referrer"] == f"{shop.url}/one"


def test_what_was_said_before_it_was_loaded_is_kept(shop, visitor):
    calls = "<script>carillon.track('quote_requested', {seats: 12}); carillon.consent({tracking: true});</script>"
    shop.head = shop.head.replace("</script>", "</script>" + calls, 1)
    visitor.goto(shop.url)
    until(lambda: len(seen()) == 2, visitor)
    settled(visitor)
    assert sorted(seen()) == ["page_viewed", "quote_requested"]
    assert ContactEvent.objects.get(type="quote_requested").properties == {"seats": 12}
    assert set(ContactEvent.objects.values_list("processed", flat=True)) == {True}, "consent comes before the page view"


def test_identify_joins_what_they_did_before(shop, visitor):
    shop.head = shop.head.replace("</script>", "</script>" + AGREED, 1)
    visitor.goto(shop.url)
    until(lambda: len(seen()) == 1, visitor)
    visitor.evaluate("carillon.identify(42, {email: 'ada@example.com', plan: 'team'})")
    until(lambda: len(seen()) == 2, visitor)
    visitor.evaluate("carillon.track('quote_requested')")
    until(lambda: len(seen()) == 3, visitor)
    ada = Contact.objects.get(external_id="42")
    assert (ada.email, ada.attributes["plan"]) == ("ada@example.com", "team")
    assert set(ContactEvent.objects.values_list("contact_id", flat=True)) == {ada.pk}
    assert ContactIdentity.objects.filter(contact_id=ada.pk, kind="anonymous_id").count() == 1
    visitor.evaluate("carillon.reset()")
    visitor.evaluate("carillon.track('looked_around')")
    until(lambda: len(seen()) == 4, visitor)
    assert ContactEvent.objects.latest("id").contact_id != ada.pk


def test_what_is_said_on_the_way_out_arrives(shop, visitor):
    visitor.goto(shop.url)
    until(lambda: len(seen()) == 1, visitor)
    visitor.evaluate("carillon.track('left_in_a_hurry'); location.href = '/elsewhere'")
    visitor.wait_for_url("**/elsewhere")
    until(lambda: "left_in_a_hurry" in seen(), visitor)
    settled(visitor)
    assert sorted(seen()) == ["left_in_a_hurry", "page_viewed"]


@pytest.mark.parametrize("signal", ["globalPrivacyControl: {value: true}", "doNotTrack: {value: '1'}"])
def test_a_browser_that_refuses_is_obeyed_until_its_owner_says_otherwise(shop, visitor, signal):
    visitor.add_init_script(f"Object.defineProperties(Navigator.prototype, {{{signal}}})")
    visitor.goto(shop.url)
    visitor.wait_for_function("window.carillon && carillon.ready")
    visitor.evaluate("carillon.track('looked_around')")
    settled(visitor)
    assert (seen(), kept(visitor), visitor.sent) == ([], {}, [])
    visitor.evaluate("carillon.consent({tracking: true})")
    until(lambda: len(seen()) == 1, visitor)
    event = ContactEvent.objects.get()
    assert (event.type, event.processed) == ("page_viewed", True)
    assert event.context["consent"]["categoryPreferences"] == {"Advertising": False, "sale": False, "tracking": True}


def test_whoever_changes_their_mind_is_forgotten(shop, visitor):
    shop.head = shop.head.replace("</script>", "</script>" + AGREED, 1)
    visitor.goto(shop.url)
    until(lambda: len(seen()) == 1, visitor)
    becomes(lambda: "who" in json.loads(kept(visitor).get("carillon", "{}")), True, visitor)
    before = json.loads(kept(visitor)["carillon"])["who"]["anonymousId"]
    visitor.evaluate("carillon.consent({tracking: false}); carillon.track('looked_around')")
    settled(visitor)
    assert seen() == ["page_viewed"]
    forgotten = {"carillon": json.dumps({"said": {"tracking": False}}, separators=(",", ":"))}
    becomes(lambda: kept(visitor), forgotten, visitor)
    assert before not in json.dumps(kept(visitor))


def test_a_site_may_say_what_holds_for_those_who_were_not_asked(shop, visitor):
    shop.head = shop.head.replace("data-key", 'data-consent="denied" data-key')
    visitor.goto(shop.url)
    visitor.wait_for_function("window.carillon && carillon.ready")
    settled(visitor)
    assert seen() == []
    shop.head = shop.head.replace("denied", "granted")
    visitor.goto(shop.url)
    until(lambda: len(seen()) == 1, visitor)
    assert ContactEvent.objects.get().processed


def test_a_site_that_changes_pages_by_itself_is_followed(shop, visitor):
    visitor.goto(f"{shop.url}/start")
    until(lambda: len(seen()) == 1, visitor)
    visitor.evaluate("history.pushState({}, '', '/basket'); document.title = 'Basket'")
    visitor.evaluate("history.replaceState({step: 2}, '', '/basket')")
    visitor.evaluate("location.hash = 'total'")
    until(lambda: len(seen()) == 2, visitor)
    visitor.evaluate("history.go(-2)")
    until(lambda: len(seen()) == 3, visitor)
    settled(visitor)
    views = [event.properties for event in ContactEvent.objects.order_by("id")]
    assert [view["path"] for view in views] == ["/start", "/basket", "/start"]
    assert (views[1]["title"], views[1]["referrer"]) == ("Basket", f"{shop.url}/start")


def test_what_could_not_be_sent_is_sent_later_and_once(shop, visitor):
    shop.head = shop.head.replace("</script>", "</script>" + AGREED, 1)
    visitor.goto(shop.url)
    until(lambda: len(seen()) == 1, visitor)
    visitor.context.set_offline(True)
    visitor.evaluate("carillon.track('bought_offline')")
    until(lambda: len(visitor.sent) >= 2, visitor)
    becomes(lambda: "bought_offline" in kept(visitor).get("carillon.queue", ""), True, visitor)
    assert seen() == ["page_viewed"]
    visitor.context.set_offline(False)
    until(lambda: len(seen()) == 2, visitor)
    settled(visitor)
    tries = [each["messageId"] for body in visitor.sent for each in body["batch"] if each["type"] == "track"]
    assert len(tries) >= 2 and len(set(tries)) == 1
    assert seen() == ["page_viewed", "bought_offline"]
    becomes(lambda: "carillon.queue" in kept(visitor), False, visitor)


def test_what_a_page_could_not_send_is_sent_by_the_next_one(shop, visitor, live_server):
    shop.head = shop.head.replace("</script>", "</script>" + AGREED, 1)
    visitor.goto(shop.url)
    until(lambda: len(seen()) == 1, visitor)
    visitor.route(f"{live_server.url}/v1/b", lambda route: route.fulfill(status=503))
    visitor.evaluate("carillon.track('bought_too_early')")
    until(lambda: len(visitor.sent) >= 2, visitor)
    visitor.evaluate("Object.defineProperty(Navigator.prototype, 'onLine', {value: false})")
    visitor.goto(f"{shop.url}/elsewhere")
    visitor.unroute(f"{live_server.url}/v1/b")
    visitor.goto(f"{shop.url}/later")
    until(lambda: len(seen()) == 3, visitor)
    settled(visitor)
    assert sorted(seen()) == ["bought_too_early", "page_viewed", "page_viewed"]
