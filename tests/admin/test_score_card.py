"""The score on a contact's page, and the page of those who have most points."""

from __future__ import annotations

import csv
import io

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from contacts import clock, patience
from contacts.models import Segment, SegmentMember
from scoring.lifecycle import stages
from scoring.models import Ruleset
from scoring.projection import leaderboard, scores
from scoring.rulesets import versions


def page(contact_id: int) -> str:
    return reverse("admin:contacts_contact_change", args=[contact_id])


def part(contact_id: int) -> str:
    return reverse("admin:scoring_card", args=[contact_id])


BOARD = "admin:scoring_scorecrossing_changelist"


def activate(**more: object) -> None:
    rules = [{"name": "Came <b>by</b>", "signal": {"event": "page_viewed"}, "points": 2}]
    with transaction.atomic():
        versions.activate(rules=rules, now=clock.now(), **more)


# -- the card ----------------------------------------------------------------------------------------------------------


def test_the_card_tells_the_score_and_its_rules(maya, town):
    shown = maya.get(page(town.ana.pk)).content.decode()
    score = scores.of(contact_ids=[town.ana.pk], at=clock.now())[town.ana.pk]
    assert f'<p class="cl-figure">{score:.1f}'.removesuffix(".0") in shown
    assert "MQL at 60" in shown and "Decides about budgets" in shown


def test_the_part_that_a_page_fetches_is_what_the_page_would_show(maya, town):
    asked = {"as_of": "2026-01-02T03:04"}
    answer = maya.get(part(town.ana.pk), asked)
    assert "Worked out for 2 Jan 2026, 03:04 UTC" in answer.content.decode()
    assert "Worked out for 2 Jan 2026, 03:04 UTC" in maya.get(page(town.ana.pk), asked).content.decode()
    assert answer["HX-Push-Url"] == f"{page(town.ana.pk)}?as_of=2026-01-02T03%3A04"
    assert maya.get(part(town.ana.pk))["HX-Push-Url"] == page(town.ana.pk)


def test_another_score_is_a_link_away(maya, town):
    activate(name="visits")
    assert f'href="{page(town.ana.pk)}?score=visits"' in maya.get(page(town.ana.pk)).content.decode()
    shown = maya.get(part(town.ana.pk), {"score": "visits"}).content.decode()
    assert "Visits score" in shown and "Came &lt;b&gt;by&lt;/b&gt;" in shown


def test_without_rules_the_card_leads_to_them(maya, town):
    Ruleset.objects.update(state="retired")
    shown = maya.get(page(town.ana.pk)).content.decode()
    assert "No scoring rules are active yet" in shown
    assert reverse("admin:scoring_ruleset_changelist") in shown
    assert "No scoring rules are active yet" in maya.get(part(town.ana.pk)).content.decode()


def test_the_part_is_for_those_who_may_see_contacts(staff, town):
    assert staff("scoring.view_scorecrossing").get(part(town.ana.pk)).status_code == 403
    viewer = staff("contacts.view_contact")
    assert viewer.get(part(town.ana.pk)).status_code == 200
    assert viewer.get(part(10**9)).status_code == 404


def test_the_card_leads_to_events_only_who_may_see_them(staff, town):
    contact = reverse("admin:contacts_contact_change", args=[town.ana.pk])
    events = reverse("admin:contacts_contactevent_changelist")
    for rights, leads in ((("contacts.view_contactevent",), True), ((), False)):
        text = staff("contacts.view_contact", *rights).get(contact).content.decode()
        card = text.split('class="sc-', 1)[1].split("In journeys now", 1)[0]
        assert (f'href="{events}' in card) == leads, rights


@pytest.mark.parametrize(
    "asked", [{"as_of": "\x00"}, {"as_of": "0001-01-01"}, {"score": "\x00"}, {"score": "x" * 9000}]
)
def test_whatever_an_address_asks_for_there_is_a_card(maya, town, asked):
    assert maya.get(page(town.ana.pk), asked).status_code == 200
    assert maya.get(part(town.ana.pk), asked).status_code == 200


def test_points_stand_beside_the_events_that_earned_them(maya, town):
    activate()
    shown = maya.get(page(town.ana.pk)).content.decode()
    assert '<span class="cl-pill cl-good" title="When fresh: Came &lt;b&gt;by&lt;/b&gt; +2">+2</span>' in shown
    older = maya.get(page(town.ana.pk)).context["timeline"].cursor
    more = maya.get(reverse("admin:contacts_contact_timeline", args=[town.ana.pk]), {"before": older})
    assert ">+2</span>" in more.content.decode()


# -- the leaderboard ---------------------------------------------------------------------------------------------------


def places(client, **asked: str) -> list[int]:
    return [row["contact_id"] for row in client.get(reverse(BOARD), asked).context["rows"]]


def test_the_first_place_has_most_points(maya, town):
    at = clock.now()
    first, *_, last = places(maya)
    found = scores.of(contact_ids=[first, last], at=at)
    assert found[first] >= found[last] > 0
    assert places(maya)[:3] == [row.contact_id for row in leaderboard.top(at=at, limit=3)]
    shown = maya.get(reverse(BOARD)).content.decode()
    assert f'href="{page(first)}"' in shown and "Ordered (" in shown


def test_only_those_of_a_stage_or_a_segment_are_ranked(maya, town):
    everybody = places(maya)
    one, two = everybody[-1], everybody[-2]
    with transaction.atomic():
        stages.move(contact_ids=[one, two], to_stage="customer", reason="test", source="admin", now=clock.now())
    assert set(places(maya, stage="customer")) == {one, two}
    segment = Segment.objects.create(slug="few", name="A few", condition={"all": []}, state="live")
    SegmentMember.objects.create(segment=segment, contact_id=one, entered_at=clock.now())
    assert places(maya, segment="few") == [one]
    assert places(maya, segment="few", stage="lead") == []
    assert (
        "Nobody of those whom you chose"
        in maya.get(reverse(BOARD), {"segment": "few", "stage": "lead"}).content.decode()
    )
    assert places(maya, stage="no-such") == everybody


def test_the_board_of_another_day_is_of_that_day(maya, town):
    assert places(maya, as_of="2020-01-01T00:00") != places(maya)
    assert "This is not a date" in maya.get(reverse(BOARD), {"as_of": "x"}).content.decode()


def test_everybodys_scores_are_counted(maya, town):
    context = maya.get(reverse(BOARD)).context
    bands = [bar.contacts for bar in context["chart"].bars]
    assert sum(bands) == context["spread"].contacts == 24


def test_the_board_costs_the_same_for_any_number_of_places(maya, town):
    costs = []
    for asked in ({}, {"as_of": "2020-01-01T00:00"}):
        with CaptureQueriesContext(connection) as queries:
            maya.get(reverse(BOARD), asked)
        costs.append(len(queries))
    assert max(costs) < 40


def test_what_takes_too_long_is_given_up_and_said(maya, town, monkeypatch):
    def slow(**_: object) -> None:
        raise patience.TookTooLong

    monkeypatch.setattr(leaderboard, "top", slow)
    monkeypatch.setattr(leaderboard, "distribution", slow)
    answer = maya.get(reverse(BOARD))
    assert answer.status_code == 200
    assert "took too long" in answer.content.decode()


def test_without_rules_there_is_nothing_to_rank(maya, town):
    Ruleset.objects.update(state="retired")
    assert "No scoring rules are active yet" in maya.get(reverse(BOARD)).content.decode()
    assert places(maya) == []


def test_the_file_holds_the_shown_places_and_runs_no_formula(maya, town):
    town.ana.external_id = "=1+1"
    town.ana.save()
    answer = maya.get(reverse("admin:scoring_leaderboard_export"))
    rows = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))
    assert answer["Content-Type"].startswith("text/csv")
    assert [row["rank"] for row in rows] == [str(n) for n in range(1, len(rows) + 1)]
    assert len(rows) == len(places(maya))
    assert {"'=1+1"} == {row["external_id"] for row in rows if row["id"] == str(town.ana.public_id)}


def test_who_may_look_at_the_board_may_not_take_it_along(staff, town):
    assert staff().get(reverse(BOARD)).status_code == 403
    viewer = staff("scoring.view_scorecrossing")
    shown = viewer.get(reverse(BOARD))
    assert shown.status_code == 200 and "Export CSV" not in shown.content.decode()
    assert page(shown.context["rows"][0]["contact_id"]) not in shown.content.decode()
    assert viewer.get(reverse("admin:scoring_leaderboard_export")).status_code == 403
    may = staff("scoring.view_scorecrossing", "contacts.export_contacts")
    assert may.get(reverse("admin:scoring_leaderboard_export")).status_code == 200
