"""The page of the alerts, the line above every page, the number in the menu, and who may silence what."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse

from analytics.models import Alert
from analytics.pages import runbook
from contacts import clock

PAGE = reverse("admin:analytics_alert_changelist")


def alert(key: str = "queues:urgent:events", severity: str = "critical", **given) -> Alert:
    at = clock.now() - timedelta(minutes=20)
    given = {"title": f"About {key}", "said": "12 wait.", "opened_at": at, **given}
    return Alert.objects.create(
        source=key.partition(":")[0], key=key, severity=severity, began_at=at, seen_at=clock.now(), **given
    )


def silence(client, row: Alert, hours: str):
    return client.post(reverse("admin:analytics_alert_silence", args=[row.pk]), {"hours": hours})


def test_a_quiet_house_says_so(maya):
    page = maya.get(PAGE).content.decode()
    assert "Nothing is wrong" in page and 'role="alert"' not in page


def test_the_page_shows_what_is_open_what_brews_and_what_is_over(maya):
    alert(page="/admin/#queues-title")
    alert("books:messages", "warning")
    alert("post:parked", "warning", opened_at=None)
    over = clock.now()
    alert("redis:away", closed_at=over, gone_since=over)
    page = maya.get(PAGE)
    assert [row.key for row in page.context["open"]] == ["queues:urgent:events", "books:messages"]
    assert [row.key for row in page.context["brewing"]] == ["post:parked"]
    assert [row.key for row in page.context["past"]] == ["redis:away"]
    text = page.content.decode()
    assert "2 alerts are open, 1 critical" in text
    assert 'href="/admin/#queues-title"' in text and "runbook/#queues" in text


def test_what_is_over_is_paged(maya):
    over = clock.now()
    rows = [alert(f"a:{n}", closed_at=over, gone_since=over) for n in range(51)]
    first = maya.get(PAGE).context
    assert [row.pk for row in first["past"]] == [row.pk for row in reversed(rows[1:])]
    assert [row.pk for row in maya.get(f"{PAGE}?before={first['older']}").context["past"]] == [rows[0].pk]
    assert maya.get(f"{PAGE}?before=x").status_code == maya.get(f"{PAGE}?before={'9' * 30}").status_code == 200


def test_every_page_says_what_is_critical_and_the_menu_how_much_is_open(maya):
    alert()
    alert("books:messages", "warning")
    page = maya.get(reverse("admin:contacts_contact_changelist")).content.decode()
    assert 'role="alert"' in page and "About queues:urgent:events" in page
    assert page.count("About books:messages") == 0
    assert maya.get(PAGE).wsgi_request.unsilenced_alerts[0].key == "queues:urgent:events"


def test_who_may_not_see_alerts_is_told_of_none(staff, town):
    alert()
    page = staff("contacts.view_contact").get(reverse("admin:contacts_contact_changelist")).content.decode()
    assert 'role="alert"' not in page and "Alerts" not in page
    assert staff("contacts.view_contact").get(PAGE).status_code == 403
    assert staff("contacts.view_contact").get(reverse("admin:analytics_alert_runbook")).status_code == 403


def test_whoever_takes_care_of_it_is_named_and_the_line_goes(maya, town):
    row = alert()
    silence(maya, row, "24")
    row.refresh_from_db()
    assert row.silenced_by == town.superuser.username
    assert timedelta(hours=23) < row.silenced_until - clock.now() < timedelta(hours=25)
    page = maya.get(PAGE).content.decode()
    assert 'role="alert"' not in page and f"{town.superuser.username} takes care of it" in page
    silence(maya, row, "")
    row.refresh_from_db()
    assert row.silenced_until is None and row.silenced_by == ""


@pytest.mark.parametrize("hours", ["", "0", "x", "1000000"])
def test_an_unknown_length_silences_nothing(maya, hours):
    row = alert()
    silence(maya, row, hours)
    row.refresh_from_db()
    assert row.silenced_until is None


def test_who_may_only_look_silences_nothing(staff):
    row = alert()
    viewer = staff("analytics.view_alert")
    assert "I take care of it" not in viewer.get(PAGE).content.decode()
    assert silence(viewer, row, "4").status_code == 403
    row.refresh_from_db()
    assert row.silenced_until is None
    assert staff("analytics.view_alert", "analytics.change_alert").get(
        reverse("admin:analytics_alert_silence", args=[row.pk])
    ).status_code == 403  # fmt: skip


def test_what_is_over_is_said_to_be(maya):
    row = alert(closed_at=clock.now(), gone_since=clock.now())
    page = maya.post(reverse("admin:analytics_alert_silence", args=[row.pk]), {"hours": "4"}, follow=True)
    assert "That alert is over." in page.content.decode()


def test_the_runbook_is_there_to_be_read_and_nothing_in_it_becomes_a_tag(maya):
    page = maya.get(reverse("admin:analytics_alert_runbook")).content.decode()
    assert 'id="queues"' in page and "<code" in page
    (section,) = runbook.sections("x\n## a\n\n**T.**\n\n- `<b>` & **c<d**\n- e\n  f\n\n    <i>\n\n1. g\n2. h\n")
    assert (section.anchor, section.title) == ("a", "T")
    assert section.blocks == (
        '<ul><li><code class="cl-code">&lt;b&gt;</code> &amp; <b>c&lt;d</b></li><li>e f</li></ul>',
        '<pre class="cl-json" tabindex="0">&lt;i&gt;</pre>',
        "<ol><li>g</li><li>h</li></ol>",
    )
