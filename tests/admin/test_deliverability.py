"""Deliverability: its figures are those of the tallies, in a constant number of statements, whatever is asked of it."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.core.management import call_command
from django.urls import reverse

from contacts import clock
from delivery import figures, recounting, tallies, trouble
from delivery.models import OutboxEntry, PostTally, Provider, SendingDomain, WebhookDelivery
from delivery.pages import charts, deliverability

PAGE = "admin:delivery_posttally_changelist"


def tally(what: str, n: int, *, days_ago: int = 0, **more: str) -> None:
    given = {"channel": "email", "sending": "news.example", "receiving": "gmail", "message_class": "marketing"} | more
    PostTally.objects.create(day=tallies.day_of(clock.now()) - timedelta(days=days_ago), what=what, n=n, **given)


@pytest.fixture
def a_fortnight(db) -> None:
    tally("accepted", 9_000)
    tally("accepted", 1_000, days_ago=3, receiving="yahoo")
    tally("accepted", 500, days_ago=20)
    tally("accepted", 70, channel="sms", sending="", receiving="")
    tally("delivered", 8_950)
    tally("delivered", 950, receiving="yahoo")
    tally("hard_bounce", 30)
    tally("soft_bounce", 20, receiving="yahoo")
    tally("complained", 4, receiving="yahoo")
    tally("opened", 3_000)
    tally("machine_opened", 1_000)
    tally("clicked", 200)
    tally("suppressed", 40, reason="unsubscribe")
    tally("capped", 60, reason="frequency_cap")
    tally("in_doubt", 9)
    tally("accepted", 5, reason="reported")


def test_the_tiles_say_what_arrived_and_what_did_not(maya, a_fortnight):
    page = maya.get(reverse(PAGE))
    shown = {tile.title: tile for tile in page.context["tiles"]}
    assert shown["Delivered, 14 days"].number == "9,900"
    assert shown["Delivered, 14 days"].pill == "98.3% of 10,075 sent"
    assert (shown["Bounces"].number, shown["Bounces"].tone) == ("0.5%", "good")
    assert (shown["Complaints"].number, shown["Complaints"].tone) == ("0.04%", "good")
    assert shown["Stopped before sending"].number == "100"
    assert shown["Stopped before sending"].note == "60 capped · 40 unsubscribed"
    assert page.context["machine_share"] == 0.25
    assert page.context["doubts"] == {
        "found": 9, "paths": [("the provider reported on it later", 5)], "undetermined": 0,
    }  # fmt: skip


def test_a_mailbox_provider_that_hears_too_many_complaints_stands_out(maya, a_fortnight):
    rows = dict(maya.get(reverse(PAGE)).context["mailboxes"])
    assert rows["Gmail"].complaints_are == "good"
    assert rows["Yahoo and AOL"].complaints_are == "bad"
    assert "0.42%" in maya.get(reverse(PAGE)).content.decode()


@pytest.mark.parametrize(("asked", "sent"), [("7", 10_075), ("30", 10_575), ("90", 10_575), ("15", 10_075)])
def test_the_range_is_one_of_four(maya, a_fortnight, asked, sent):
    assert maya.get(reverse(PAGE), {"days": asked}).context["figures"].total.sent == sent


def test_a_channel_is_looked_at_alone(maya, a_fortnight):
    page = maya.get(reverse(PAGE), {"channel": "sms"})
    assert page.context["figures"].total.sent == 70
    assert page.context["mailboxes"] == []


@pytest.mark.parametrize(
    "asked", ["?days=-1", "?days=9999999999", "?days=%00", "?days=¹⁴", "?channel=%00", "?channel='--", "?days=7&days=x"]
)
def test_nonsense_in_the_address_is_answered_with_the_usual_page(maya, town, asked):
    assert maya.get(reverse(PAGE) + asked).status_code == 200


def test_folded_or_not_the_page_says_the_same(maya, a_fortnight):
    before = maya.get(reverse(PAGE)).context["figures"]
    assert tallies.fold() is True
    assert maya.get(reverse(PAGE)).context["figures"] == before


def test_the_figures_are_those_of_the_facts(maya, town):
    recounting.mend()
    counted = maya.get(reverse(PAGE)).context["figures"]
    assert counted.total.sent > 0
    assert recounting.compare() == []
    assert sum(counts.sent for counts in counted.by_day.values()) == counted.total.sent


def test_the_page_costs_the_same_however_much_was_sent(maya, town, django_assert_max_num_queries):
    with django_assert_max_num_queries(12):  # three for what every page says and asks: alerts, a freeze, the factor
        maya.get(reverse(PAGE))
    for n in range(40):
        tally("accepted", 10, days_ago=n % 14, sending=f"d{n}.example", receiving=["gmail", "gmx", "apple"][n % 3])
        SendingDomain.objects.create(domain=f"d{n}.example", created_at=clock.now(), warm_up_steps=[10, 20])
    with django_assert_max_num_queries(12):  # three for what every page says and asks: alerts, a freeze, the factor
        page = maya.get(reverse(PAGE))
    assert len(page.context["warming"]) == 40


def test_who_may_not_look_does_not(staff):
    assert staff("delivery.view_message").get(reverse(PAGE)).status_code == 403
    viewer = staff("delivery.view_posttally")
    assert viewer.get(reverse(PAGE)).status_code == 200
    for name in ("add",):
        assert viewer.post(reverse(f"admin:delivery_posttally_{name}")).status_code == 403


def test_a_brake_is_shown_and_released_from_here(maya, staff, town):
    SendingDomain.objects.create(
        domain="news.example",
        created_at=clock.now(),
        braked_at=clock.now(),
        braked_why={"reason": "complaints", "rate": 0.004, "limit": 0.003, "sample": 1200, "hits": 5},
    )
    page = maya.get(reverse(PAGE)).content.decode()
    assert "The brake holds news.example" in page
    assert "Complaints: 0.40% of 1,200 messages, 0.30% at most" in page
    viewer = staff("delivery.view_posttally")
    assert "release-newsexample" not in viewer.get(reverse(PAGE)).content.decode()
    release = reverse("admin:delivery_sendingdomain_deed", args=["news.example", "release"])
    assert viewer.post(release).status_code == 403
    assert maya.get(release).status_code == 403
    answer = maya.post(release, {"from": "deliverability"})
    assert answer["Location"] == reverse(PAGE)
    row = SendingDomain.objects.get(pk="news.example")
    assert (row.braked_at, row.released_by) == (None, "maya")


def test_the_menu_and_the_page_say_what_is_the_matter(maya, town, settings):
    settings.EMAIL_PROVIDER = "sendgrid"
    now = clock.now()
    OutboxEntry.objects.filter(state="in_doubt").update(claimed_at=now - timedelta(hours=3))
    WebhookDelivery.objects.create(provider="sendgrid", body=b"[]", received_at=now - timedelta(minutes=5))
    kinds = [each.kind for each in trouble.look(now=now)]
    assert kinds == ["provider", "in_doubt", "webhooks"]
    trouble.forget()
    page = maya.get(reverse(PAGE)).content.decode()
    assert "SendGrid refuses us" in page
    assert "the oldest for 3 h 0 min" in page
    assert '<span class="cl-pill cl-bad cl-badge">3<' in page
    Provider.objects.filter(pk="sendgrid").update(stopped_at=None)
    trouble.forget()
    assert '<span class="cl-pill cl-bad cl-badge">2<' in maya.get(reverse(PAGE)).content.decode()


def test_nothing_is_the_matter_with_an_empty_installation(maya, db, django_user_model):
    trouble.forget()
    OutboxEntry.objects.all().delete()
    page = maya.get(reverse(PAGE)).content.decode()
    assert "cl-badge" not in page


def test_a_provider_that_is_not_used_is_nobodys_trouble(town, settings):
    settings.EMAIL_PROVIDER, settings.EMAIL_FALLBACK_PROVIDER = "sandbox", ""
    assert Provider.objects.get(pk="sendgrid").stopped_at is not None
    assert [each for each in trouble.look(now=clock.now()) if each.kind == "provider"] == []


def test_a_stranger_cannot_read_the_page(client, db):
    assert client.get(reverse(PAGE)).status_code == 302


def test_bars_stand_upon_each_other_and_end_at_a_round_number():
    days = [date(2025, 3, 8)]
    chart = charts.bars(days, [charts.Series("a", "good", [30]), charts.Series("b", "bad", [10])])
    assert chart.ticks == ["40", "20", "0"]
    assert [(part.tone, part.top, part.height) for part in chart.days[0].parts] == [("good", 25, 75), ("bad", 0, 25)]


def test_a_line_goes_from_day_to_day_and_crosses_a_day_that_is_alone():
    days = [date(2025, 3, 8), date(2025, 3, 9)]
    (line,) = charts.lines(days, [charts.Series("a", "good", [30, 10])]).lines
    assert line.points == "0.5,0.0 1.5,66.67"
    (line,) = charts.lines(days[:1], [charts.Series("a", "good", [30])]).lines
    assert line.points == "0,0.0 1,0.0"  # one point would be drawn as nothing
    (line,) = charts.lines([], [charts.Series("a", "good", [])]).lines
    assert line.points == ""


@pytest.mark.parametrize(("most", "top"), [(0, 2), (2, 2), (3, 4), (41, 60), (1_000, 1_000), (11_700, 12_000)])
def test_the_scale_ends_at_the_next_round_number(most, top):
    assert charts.ceiling(most) == top


def test_a_rate_of_a_few_messages_is_not_judged():
    assert figures.verdict(0.5, 0.001, 0.003, 99) == "plain"
    assert figures.verdict(0.5, 0.001, 0.003, 100) == "bad"
    assert figures.verdict(0.002, 0.001, 0.003, 100) == "warn"
    assert deliverability.percent(figures.share(1, 0)) == "0.0%"


def test_doctor_compares_the_tallies_and_mends_them(town, capsys):
    with pytest.raises(SystemExit):
        call_command("doctor")
    assert "FAIL  tallies of the post" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        call_command("doctor", "--fix")
    assert "ok    tallies of the post: mended" in capsys.readouterr().out
