"""@segment/analytics-next in Chromium, on a page of another origin: CORS, settings, messages, anonymous history."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.clients.conftest import CLIENTS, Way
from tests.contacts.collect.segment import (
    Producer,
    counted,
    events_of,
    give_secret,
    key_row,
    make_write_key,
    named,
    quarantined,
    rows,
    user,
    user_hash,
)

UMD = CLIENTS / "node_modules" / "@segment" / "analytics-next" / "dist" / "umd"
PATIENCE_SECONDS = 20.0
PAGE = """<!doctype html><title>A shop</title><link rel="icon" href="data:,"><script src="/lib/index.js"></script>
<script>
  window.analytics = AnalyticsNext.AnalyticsBrowser.load(
    { writeKey: KEY, cdnURL: HOST }, { integrations: { "Segment.io": STRATEGY }, disableClientPersistence: true });
</script><h1>A shop</h1>"""


@pytest.fixture
def visit(site: Any, browser: Any) -> Iterator[Callable[..., Any]]:
    """Open a page of somebody's site that loads the client with this key and host; its console must stay clean."""
    origin, pages = site
    complaints: list[str] = []
    contexts = []
    for file in UMD.glob("*.js"):
        pages[f"/lib/{file.name}"] = ("text/javascript", file.read_bytes())

    def open_page(host: str, key: str, strategy: dict[str, Any] | None = None) -> Any:
        html = PAGE.replace("KEY", json.dumps(key)).replace("HOST", json.dumps(host))
        pages["/"] = ("text/html", html.replace("STRATEGY", json.dumps(strategy or {})).encode())
        context = browser.new_context(locale="de-DE", timezone_id="Asia/Tokyo")
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{origin}/?utm_source=newsletter")
        page.evaluate("() => analytics.ready ? analytics.ready() : null")
        return page

    yield open_page
    for context in contexts:
        context.close()
    # of answers that say no, Chromium complains by itself; of one that it may not read, it complains otherwise
    assert [each for each in complaints if not re.search(r"status of (400|502)", each)] == []


def until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not happened():
        assert time.monotonic() < deadline, (rows("SELECT type FROM contact_events"), counted(), quarantined())
        time.sleep(0.1)


def total() -> int:
    return rows("SELECT count(*) FROM contact_events")[0][0]


@pytest.mark.parametrize("strategy", [None, {"deliveryStrategy": {"strategy": "batching", "config": {"timeout": 200}}}])
def test_a_visitor_becomes_a_person(web: str, visit: Callable[..., Any], strategy: dict[str, Any] | None) -> None:
    key = make_write_key("browser")
    page = visit(web, key, strategy)
    page.evaluate("""async () => {
      await analytics.page("Shop", "Home");
      await analytics.track("Product Viewed", { sku: "a" });
      const anonymous = (await analytics.user()).anonymousId();
      await analytics.identify("ada", { email: "ada@example.com", plan: "pro" });
      await analytics.group("initech", { seats: 4 });
      await analytics.track("Order Completed", { total: 9.5 });
      await analytics.alias("ada", anonymous);
      await analytics.screen("Start");
    }""")
    until(lambda: total() == 7)
    ada = user("ada")
    assert (ada.email, ada.attributes, ada.timezone) == ("ada@example.com", {"plan": "pro"}, "")
    assert sorted(events_of(ada)) == sorted(
        [
            "page_viewed",
            "Product Viewed",
            "contact_identified",
            "group_joined",
            "Order Completed",
            "contact_aliased",
            "screen_viewed",
        ]
    )
    ((properties, context),) = rows("SELECT properties, context FROM contact_events WHERE type = 'page_viewed'")
    assert {"name": "Home", "category": "Shop"}.items() <= json.loads(properties).items()
    assert json.loads(context)["campaign"] == {"source": "newsletter"}
    assert counted() == {"accepted": 7, "held": 7}, "nobody was asked for consent"
    assert key_row(key).last_event_at is not None


def test_consent_in_the_context_lets_events_count(web: str, visit: Callable[..., Any]) -> None:
    page = visit(web, make_write_key("browser"))
    page.evaluate("""() => analytics.track("Viewed", {}, { context: { timezone: "Asia/Tokyo",
      consent: { categoryPreferences: { Advertising: true, Analytics: true } } } })""")
    until(lambda: total() == 1)
    assert counted() == {"accepted": 1}
    ((anonymous,),) = rows("SELECT value FROM contact_identities")
    assert named("anonymous_id", anonymous).timezone == "Asia/Tokyo"


def test_a_known_contact_is_changed_with_a_proof_only(web: str, visit: Callable[..., Any]) -> None:
    Producer(make_write_key("server")).send({"type": "identify", "userId": "ada", "traits": {"plan": "free"}})
    key = make_write_key("browser")
    secret = give_secret(key)
    page = visit(web, key)
    page.evaluate("""() => analytics.identify("ada", { plan: "stolen" })""")
    until(lambda: quarantined() == [("browser", "unproven")])
    assert user("ada").attributes == {"plan": "free"}
    page.evaluate(
        """(proof) => analytics.identify("ada", { plan: "pro" }, { context: { user_hash: proof } })""",
        user_hash(secret, "ada"),
    )
    until(lambda: user("ada").attributes == {"plan": "pro"})


def test_what_the_browser_sends_again_is_a_duplicate(way: tuple[str, Way], visit: Callable[..., Any]) -> None:
    url, between = way
    between.losing = 1
    page = visit(url, make_write_key("browser"))
    page.evaluate("""() => { analytics.track("Viewed"); }""")
    until(lambda: counted().get("duplicate") == 1)
    assert between.posts == ["/v1/t", "/v1/t"]
    assert total() == 1
