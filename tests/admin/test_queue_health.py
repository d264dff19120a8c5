"""The queue-health page: what it says, who may read it, and that it is fetched only when something changed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse

from analytics.health import delays
from analytics.models import ProviderAnswer
from analytics.pages import queue_badge, queue_health
from analytics.templatetags.health import percent_of_all, rounded, share_of, took
from contacts import clock
from contacts.heartbeat import Heartbeat
from contacts.models import PendingEvent

PAGE = "admin:analytics_latency_changelist"


@pytest.fixture
def quiet(monkeypatch, settings):
    """What changes from one look to the next without anybody's doing stands still."""
    settings.HEARTBEATS = ["lane urgent", "lane bulk"]
    read = queue_health.database.read(now=clock.now())
    monkeypatch.setattr("analytics.health.database.read", lambda now: read)


def measure(*seconds: float, name: str = delays.EVENT_TO_PROVIDER, days_ago: int = 0) -> None:
    now = clock.now() - timedelta(days=days_ago)
    delays.note(name, "urgent", [timedelta(seconds=each) for each in seconds], now=now)


def test_the_page_says_what_waits_how_long_things_take_and_who_works(maya, settings):
    settings.HEARTBEATS = ["lane urgent", "lane bulk"]
    Heartbeat("lane urgent").beat()
    now = clock.now()
    PendingEvent.objects.create(event_id=1, recorded_at=now - timedelta(days=9), lane="urgent", shard=0)
    measure(*[0.4] * 98, 30, 30)
    ProviderAnswer.objects.create(day=now.date(), provider="sendgrid", outcome="retry", code="429", amount=17)
    page = maya.get(reverse(PAGE)).content.decode()
    assert page.count(">Beats<") == 1 and page.count(">Silent<") == 1
    assert "the oldest for 9 days" in page
    assert ">98%<" in page and '<span class="cl-pill cl-warn">98%</span>' in page
    assert "429" in page and "17" in page
    assert "Up to 500 ms: urgent 98, bulk 0" in page


def test_delays_and_answers_are_of_the_days_that_were_asked_for(maya):
    measure(*[0.4] * 3)
    measure(*[0.4] * 40, days_ago=6)
    ProviderAnswer.objects.create(
        day=(clock.now() - timedelta(days=6)).date(), provider="sendgrid", outcome="retry", code="429", amount=17
    )
    today = maya.get(reverse(PAGE)).content.decode()
    week = maya.get(reverse(PAGE), {"days": "7"}).content.decode()
    refused = ">429</code>"  # not 429 alone: one page in a hundred has it in its tag
    assert "Up to 500 ms: urgent 3," in today and refused not in today
    assert "Up to 500 ms: urgent 43," in week and refused in week


@pytest.mark.parametrize("days", ["", "0", "-1", "2", "99999999999999999999", "٣", "x"])
def test_any_other_span_is_today(maya, days):
    assert maya.get(reverse(PAGE), {"days": days}).context["days"] == 1


def test_who_looks_again_is_told_that_nothing_changed(maya, quiet):
    first = maya.get(reverse(PAGE), {"live": "1"})
    assert first.status_code == 200 and "<html" not in first.content.decode()
    again = maya.get(reverse(PAGE), {"live": "1"}, headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
    measure(0.4)
    changed = maya.get(reverse(PAGE), {"live": "1"}, headers={"If-None-Match": first["ETag"]})
    assert changed.status_code == 200 and changed["ETag"] != first["ETag"]


def test_the_page_carries_the_tag_of_what_it_shows(maya, quiet):
    page = maya.get(reverse(PAGE))
    again = maya.get(reverse(PAGE), {"live": "1"}, headers={"If-None-Match": page.context["tag"]})
    assert again.status_code == 304


def test_only_who_may_see_it_sees_it(staff):
    assert staff("contacts.view_contact").get(reverse(PAGE)).status_code == 403
    assert staff("contacts.view_contact").get(reverse(PAGE), {"live": "1"}).status_code == 403
    viewer = staff("analytics.view_latency")
    assert viewer.get(reverse(PAGE)).status_code == 200
    assert "Queue health" in viewer.get(reverse("admin:index")).content.decode()
    assert viewer.post(reverse("admin:analytics_latency_add")).status_code == 403


def test_figures_are_told_in_the_unit_that_says_most():
    assert [took(value) for value in (None, 0.0004, 0.042, 1.5, 59, 90, 5400, float("inf"))] == [
        "–", "0 ms", "42 ms", "1.5 s", "59 s", "1.5 min", "1.5 h", "over 1 h",
    ]  # fmt: skip
    assert [percent_of_all(value) for value in (None, 1, 0.99999, 0.98)] == ["–", "100%", "99.99%", "98%"]
    assert [rounded(value) for value in (0, 999, 1234, 56_789, 1_234_567)] == ["0", "999", "1.2 k", "57 k", "1.2 M"]
    assert [share_of(part, 1000) for part in (0, 1, 500, 1000)] == ["0", "1.5", "50.0", "100.0"]


def test_the_menu_says_on_every_page_how_much_is_late_or_silent(maya, staff, settings):
    settings.HEARTBEATS = ["lane urgent", "lane bulk"]
    Heartbeat("lane bulk").beat()
    assert "cl-badge" not in maya.get(reverse("admin:index")).content.decode()
    late = sum(queue.late for queue in queue_health.queues.read(now=clock.now()))
    assert queue_badge.look() == late + 1
    PendingEvent.objects.create(event_id=1, recorded_at=clock.now() - timedelta(minutes=1), lane="urgent", shard=0)
    maya.get(reverse(PAGE), {"live": "1"})  # whoever watches the page keeps the menu up to date
    assert f">{late + 2}<" in maya.get(reverse("admin:index")).content.decode()
    assert "cl-badge" not in staff("contacts.view_contact").get(reverse("admin:index")).content.decode()
