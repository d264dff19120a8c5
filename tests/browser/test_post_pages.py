"""The post office's pages in Chromium: light, dark and on a telephone; charts with their tables, and a check that is
waited for."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest
from django.urls import reverse

from contacts import clock
from delivery import recounting, tallies
from delivery.models import PostTally, SendingDomain, Suppression
from delivery.preflight import checking
from delivery.rates import warming
from delivery.webhooks import feedback
from tests.browser.visit import expect, visiting
from tests.delivery import making
from tests.delivery.test_preflight import Zone
from tests.delivery.test_webhooks import post
from tests.inhabited import Inhabited, inhabit

pytestmark = pytest.mark.django_db(transaction=True)

DOMAIN = "a-rather-long-subdomain.of-news.shop.example"
LOOKS = {"light": {}, "dark": {"dark": True}, "telephone": {"width": 390, "height": 844}}


@pytest.fixture
def town(transactional_db) -> Inhabited:
    now = clock.now()
    town = inhabit(now=now)
    recounting.mend()
    for n in range(90):
        PostTally.objects.create(
            day=tallies.day_of(now) - timedelta(days=n), channel="email", sending=DOMAIN, receiving="gmail",
            message_class="marketing", what="accepted", n=1_000_000 + n,
        )  # fmt: skip
    warming.start(DOMAIN, ramp="careful", now=now)
    SendingDomain.objects.create(domain="braked.example", created_at=now, braked_at=now, braked_why={"reason": "x"})
    zone = Zone().add(DOMAIN, "TXT", ["v=spf1 " + "include:x.example " * 40])
    checking.check(DOMAIN, zone.add(DOMAIN, "MX", ["10 mx." + "x" * 60 + ".example"]))
    return town


@pytest.mark.parametrize("look", LOOKS)
def test_every_page_opens_without_a_complaint_and_fits_its_window(browser, live_server, town, look):
    pages = [
        reverse("admin:delivery_posttally_changelist"),
        reverse("admin:delivery_posttally_changelist") + "?days=90&channel=email",
        reverse("admin:delivery_posttally_changelist") + "?channel=push",
        reverse("admin:delivery_sendingdomain_changelist"),
        reverse("admin:delivery_sendingdomain_change", args=[DOMAIN]),
        reverse("admin:delivery_sendingdomain_change", args=["braked.example"]),
        reverse("admin:delivery_message_in_doubt"),
        reverse("admin:delivery_message_changelist") + "?state=rejected",
        reverse("admin:delivery_message_change", args=[town.accepted.pk]),
        reverse("admin:delivery_provider_changelist"),
        reverse("admin:delivery_provider_change", args=["sendgrid"]),
        reverse("admin:delivery_suppression_changelist"),
        reverse("admin:delivery_suppression_import"),
    ]
    with visiting(browser, live_server.url, **LOOKS[look]) as visitor:
        for path in pages:
            visitor.go(path)
            page = visitor.page
            assert visitor.complaints == [], path
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{path} is too wide"
            assert page.evaluate("window.broken") is None, path
            expect(page.locator("h1").first, path).to_be_visible()


def test_behind_every_chart_is_a_table_that_a_keyboard_opens(browser, live_server, town):
    with visiting(browser, live_server.url) as visitor:
        visitor.go(reverse("admin:delivery_posttally_changelist"))
        page = visitor.page
        bar = "(bar) => bar.scrollHeight <= bar.clientHeight"
        assert page.locator(".dl-bar").evaluate(bar), "what is chosen above the charts is cut off"
        charts = page.locator("svg[role=img]")
        tables = page.locator("details.dl-behind")
        expect(charts).to_have_count(2)
        expect(tables).to_have_count(2)
        summary = tables.first.locator("summary")
        summary.focus()
        page.keyboard.press("Enter")
        rows = tables.first.locator("tbody tr")
        expect(rows).to_have_count(14)
        expect(rows.first).to_be_visible()
        expect(charts.first.locator("rect.dl-fill-info")).to_have_count(14)


DRAWN = """(charts) => charts.map((chart) => ({
    zero: [...chart.querySelectorAll(".dl-ticks li")].at(-1).textContent,
    days: [...chart.querySelectorAll("svg g")].map((day) => [...day.querySelectorAll("rect:not(.dl-over)")].map((bar) =>
        ({top: Number(bar.getAttribute("y")), height: Number(bar.getAttribute("height"))}))),
    lines: [...chart.querySelectorAll("polyline")].map((line) =>
        line.getAttribute("points").trim().split(/\\s+/).map((point) => 100 - Number(point.split(",")[1]))),
    rows: [...chart.parentElement.querySelectorAll(".dl-behind tbody tr")].map((row) =>
        [...row.cells].slice(1).map((cell) => Number(cell.textContent.replaceAll(",", "")))).reverse(),
}))"""


def same_scale(heights: list[float], numbers: list[float]) -> bool:
    """Whether every height is the same multiple of its number: then nothing is cut off below, and zero is at zero."""
    unit = max(heights) / max(numbers)
    return all(abs(height - unit * number) < 0.2 for height, number in zip(heights, numbers, strict=True))


def test_a_bounce_moves_its_tile_and_suppresses_and_charts_show_what_their_tables_say(browser, live_server, town):
    """40. Deliverability: bounce webhook moves the tile and suppresses the contact. Every chart has its hidden table
    with the same numbers; bars start at zero."""
    PostTally.objects.filter(sending=DOMAIN).delete()  # a million a day, among which one bounce is none
    Suppression.objects.filter(address__shown=town.ana.email).delete()
    with visiting(browser, live_server.url) as visitor:
        page = visitor.page
        visitor.go(reverse("admin:delivery_posttally_changelist"))
        number = page.get_by_role("region", name="Bounces", exact=True).locator(".dl-number")
        before = number.inner_text()
        report = {"event": "bounce", "type": "bounce", "email": town.ana.email, "mid": str(town.accepted.public_id)}
        body = json.dumps(
            [{**report, "timestamp": int(clock.now().timestamp()), "sg_event_id": "b1", "status": "5.1.1"}]
        )
        assert post(body.encode(), timestamp=str(int(clock.now().timestamp()))).status_code == 200
        assert making.run(feedback.fold_batch)
        page.reload()
        expect(number).not_to_have_text(before)
        visitor.go(reverse("admin:delivery_suppression_changelist") + f"?q={town.ana.email}")
        row = page.locator("#result_list tbody tr", has_text=town.ana.email)
        expect(row).to_have_count(1)
        expect(row).to_contain_text("bounce")

        visitor.go(reverse("admin:delivery_posttally_changelist"))
        charts = page.locator(".dl-chart")
        expect(charts).to_have_count(2)
        bars, lines = charts.evaluate_all(DRAWN)
        assert bars["zero"] == lines["zero"] == "0" and any(map(sum, bars["rows"]))
        assert same_scale(
            [sum(bar["height"] for bar in day) for day in bars["days"]], [sum(row) for row in bars["rows"]]
        )
        for day in bars["days"]:
            assert not day or max(bar["top"] + bar["height"] for bar in day) == pytest.approx(100, abs=0.2)
        for heights, numbers in zip(lines["lines"], zip(*lines["rows"], strict=True), strict=True):
            assert same_scale(heights, list(numbers)) if any(numbers) else not any(heights)


def test_a_release_is_asked_about_first(browser, live_server, town):
    with visiting(browser, live_server.url) as visitor:
        visitor.go(reverse("admin:delivery_posttally_changelist"))
        page = visitor.page
        page.get_by_role("button", name="Release").first.click()
        page.get_by_role("button", name="Leave it braked").click()
        expect(page.get_by_role("dialog")).to_have_count(0)
        assert SendingDomain.objects.get(pk="braked.example").braked_at is not None
        page.get_by_role("button", name="Release").first.click()
        page.get_by_role("dialog").get_by_role("button", name="Release").click()
        page.get_by_text("goes out again").wait_for()
        assert SendingDomain.objects.get(pk="braked.example").braked_at is None


@pytest.mark.parametrize(("dark", "width"), [(False, 1280), (True, 390)])
def test_a_long_list_of_suppressions_shows_how_far_it_is(browser, live_server, town, tmp_path, dark, width):
    path = tmp_path / "list.csv"
    rows = [
        "address,reason",
        '"two\r\nlines",manual',
        *(f"gone{n}@example.com,bounce" for n in range(1200)),
        "nonsense,",
    ]
    path.write_bytes(("\r\n".join(rows) + "\r\n\r\n").encode("utf-8-sig"))
    before = Suppression.objects.count()
    with visiting(browser, live_server.url, dark=dark, width=width) as visitor:
        page = visitor.page
        visitor.go(reverse("admin:delivery_suppression_import"))
        pieces: list[str] = []
        page.on("response", lambda answer: pieces.append(answer.request.method))
        page.set_input_files("input[type=file]", path)
        page.get_by_role("button", name="Suppress these addresses").click()
        page.get_by_text("All of it is taken in.").wait_for()
        expect(page.locator("[data-taken=bar]")).to_have_js_property("value", 100)
        counts = {name: page.locator(f"[data-taken={name}]") for name in ("rows", "added", "standing", "refused")}
        for name, wanted in {"rows": "1,202", "added": "1,200", "standing": "0", "refused": "2"}.items():
            expect(counts[name]).to_have_text(wanted)
        refused = page.locator("[data-taken=lines] tr")
        expect(refused).to_have_text(
            [re.compile("^3.*Is no e-mail address"), re.compile("^1,204.*Is no e-mail address")]
        )
        assert pieces.count("POST") == 3
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        path.write_bytes(b"address\n\xff\n")
        page.set_input_files("input[type=file]", path)
        page.get_by_role("button", name="Suppress these addresses").click()
        page.get_by_text("The file is not UTF-8").wait_for()
    assert Suppression.objects.count() == before + 1200


def test_a_list_whose_piece_was_lost_goes_on_from_there(browser, live_server, town, tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("address\n" + "".join(f"gone{n}@example.com\n" for n in range(700)), encoding="utf-8")
    with visiting(browser, live_server.url) as visitor:
        page = visitor.page
        visitor.go(reverse("admin:delivery_suppression_import"))
        lost: list[int] = []

        def lose_the_second(route) -> None:
            is_post = route.request.method == "POST"
            lost.append(is_post)
            route.fulfill(status=502) if is_post and sum(lost) == 2 else route.continue_()

        page.route("**/suppression/import/", lose_the_second)
        page.set_input_files("input[type=file]", path)
        page.get_by_role("button", name="Suppress these addresses").click()
        page.get_by_text("The server did not answer.").wait_for()
        expect(page.locator("[data-taken=rows]")).to_have_text("500")
        page.get_by_role("button", name="Go on").click()
        page.get_by_text("All of it is taken in.").wait_for()
        expect(page.locator("[data-taken=rows]")).to_have_text("700")
        visitor.complaints = [line for line in visitor.complaints if "502" not in line]


def test_a_check_that_was_asked_for_appears_when_it_is_there(browser, live_server, town):
    with visiting(browser, live_server.url) as visitor:
        visitor.go(reverse("admin:delivery_sendingdomain_change", args=[DOMAIN]))
        page = visitor.page
        page.get_by_role("button", name="Check now").click()
        page.get_by_text("Being checked: the DNS is asked").wait_for()
        checking.check(DOMAIN, Zone().add(DOMAIN, "MX", ["10 mail.arrived.example"]))
        page.get_by_text("10 mail.arrived.example").wait_for()
