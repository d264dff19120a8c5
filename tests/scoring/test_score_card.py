"""What the score card says: rows that add up, words for what lies ahead, a curve."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from contacts import timeline
from scoring.crossings.outlook import Outlook
from scoring.pages import curve_chart, score_card, score_history, timeline_marks
from scoring.pages.curve_chart import Happening, Point
from scoring.projection import reasons, scores
from scoring.rulesets import reading
from tests.scoring.conftest import rule, write_history
from tests.scoring.oracle import Happened

pytestmark = pytest.mark.django_db


def days(now: datetime, *ages: float, type: str = "clicked") -> list[Happened]:
    return [Happened(type=type, at=now - timedelta(days=age)) for age in ages]


def shown(text: str) -> float:
    return float(text.replace("−", "-").replace(",", ""))


def card_of(contact_id: int, now: datetime, **asked: str) -> dict:
    return score_card.card(contact_id=contact_id, now=now, asked=asked)


# -- rows --------------------------------------------------------------------------------------------------------------

FADING = {"type": "half_life", "period": "P7D"}


@pytest.mark.parametrize("ages", [(1,), (1, 2, 3), (0.3, 5, 9, 11), tuple(range(30))])
def test_the_shown_rows_add_up_to_the_shown_score(now, person, activated, ages):
    activated(
        rule("clicked", 10.05, decay=FADING, group="Mail"),
        rule("opened", 3.33, decay=FADING, group="Mail", cap=9.04),
        rule("left", -1.21, decay=FADING),
        {"name": "Director", "signal": {"field": "job_title", "op": "contains", "value": "Director"}, "points": 7.77},
        groups=[{"name": "Mail", "cap": 17.77}],
        cap=25,
    )
    contact_id = person(attributes={"job_title": "Director"})
    for type_ in ("clicked", "opened", "left"):
        write_history(contact_id, days(now, *ages, type=type_))
    card = card_of(contact_id, now)
    rows = [shown(row["points"]) for row in (*card["shares"], *card["adjustments"])]
    assert round(sum(rows), 1) == shown(card["score"])
    assert shown(card["score"]) == round(scores.of(contact_ids=[contact_id], at=now)[contact_id], 1)


def test_a_row_says_what_holds_it_and_opens_to_its_events(now, person, activated):
    activated(rule("clicked", 10, decay=FADING, cap=12), rule("never", 5))
    contact_id = person()
    write_history(contact_id, days(now, 0, 7))
    card = card_of(contact_id, now)
    (row,) = card["shares"]
    assert row["note"] == "halves every 7 days, at its cap"
    assert [(event["raw"], event["decayed"]) for event in row["events"]] == [("+10", "+10"), ("+10", "+5")]
    assert card["silent"] == 1
    assert "from 2 events and the active rules (lead v1)." in card["worked_out"]


def test_an_event_that_two_rules_count_is_one_event(now, person, activated):
    activated(rule("clicked", 10), rule("clicked", 1))
    contact_id = person()
    write_history(contact_id, days(now, 1))
    assert "from 1 event and" in card_of(contact_id, now)["worked_out"]


def test_another_instant_is_asked_for_in_utc(now, person, activated):
    activated(rule("clicked", 10, decay=FADING))
    contact_id = person()
    write_history(contact_id, days(now, 14))
    then = now - timedelta(days=14) + timedelta(minutes=1)
    card = card_of(contact_id, now, as_of=f"{then:%Y-%m-%dT%H:%M}")
    assert (card["score"], card["is_past"]) == ("10", True)
    assert f"for {then:%-d %b %Y, %H:%M} UTC" in card["worked_out"]
    assert card_of(contact_id, now)["score"] == "2.5"


@pytest.mark.parametrize("asked", ["x", "0001-01-01T00:00", "9999-12-31T23:59", "2026-13-01T00:00", "\x00", "1e9"])
def test_an_instant_that_is_none_is_now_and_said(now, person, activated, asked):
    activated(rule("clicked", 10))
    card = card_of(person(), now, as_of=asked)
    assert card["problem"] and card["at"] == now


def test_a_score_of_another_name_has_a_card_of_its_own(now, person, activated):
    activated(rule("clicked", 10))
    activated(rule("clicked", 3), name="fit", title="Who they are")
    contact_id = person()
    write_history(contact_id, days(now, 1))
    card = card_of(contact_id, now, score="fit")
    assert (card["heading"], card["score"], card["threshold"]) == ("Fit score", "3", "Threshold at 60")
    assert "(“Who they are”, v1)" in card["worked_out"]
    assert [choice["name"] for choice in card["choices"]] == ["lead", "fit"]
    assert card_of(contact_id, now, score="no-such")["name"] == "lead"


def test_without_rules_the_card_says_so_instead_of_zero(now, person):
    assert not card_of(person(), now)["rules_said"]


def test_the_card_costs_the_same_whatever_the_history(now, person, activated):
    activated(rule("clicked", 10, decay=FADING), rule("opened", 1))
    activated(rule("clicked", 3), name="fit")
    costs = []
    for count in (1, 200):
        contact_id = person()
        write_history(contact_id, days(now, *(n / 10 for n in range(count))))
        with CaptureQueriesContext(connection) as queries:
            card_of(contact_id, now)
        costs.append(len(queries))
    assert max(costs) <= 12 and costs[1] - costs[0] <= 1  # the forecast may look once more


# -- words for what lies ahead -----------------------------------------------------------------------------------------

NOW = datetime(2026, 5, 1, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("ahead", "said"),
    [
        (Outlook(60, False, NOW + timedelta(days=13)), "Will fall below MQL (54 points) on 14 May"),
        (Outlook(60, True, NOW + timedelta(days=300)), "Will rise to MQL (60 points) on 25 February 2027"),
        (Outlook(60, False, NOW + timedelta(hours=3)), "Will fall below MQL (54 points) today at 12:00 UTC"),
        (Outlook(60, True, NOW), "Is about to rise to MQL (60 points)"),
        (
            Outlook(60, False, NOW + timedelta(days=180), is_certain=False),
            "Will not fall below MQL (54 points) before 28 October",
        ),
    ],
)  # fmt: skip
def test_what_lies_ahead_is_said_in_a_sentence(activated, ahead, said):
    activated(rule("clicked", 10))
    ruleset = reading.active_ruleset("lead")
    condition = " if nothing happens" if ahead.at > NOW else ""
    assert score_history.words(ahead, ruleset, now=NOW) == f"{said}{condition}."


def test_the_sentence_is_on_the_card_of_now_alone(now, person, activated):
    activated(rule("clicked", 70, decay=FADING))
    contact_id = person()
    write_history(contact_id, days(now, 0))
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO score_sides (contact_id, score_name, threshold, above, seq) VALUES (%s, 'lead', 60, true, 1)",
            [contact_id],
        )
    assert card_of(contact_id, now)["outlook"]["words"].startswith("Will fall below MQL (54 points)")
    assert card_of(contact_id, now, as_of=f"{now - timedelta(days=1):%Y-%m-%dT%H:%M}")["outlook"] is None


# -- the curve ---------------------------------------------------------------------------------------------------------


def test_the_curve_ends_where_the_forecast_begins():
    points = [Point(NOW + timedelta(days=day), score) for day, score in ((-2, 0), (-1, 80), (0, 70), (1, 60), (2, 50))]
    crossed = Happening(NOW - timedelta(days=1), "Crossed 60 upwards", "crossed upwards", "emerald")
    chart = curve_chart.chart(points, now=NOW, threshold=60, happenings=[crossed])
    assert chart is not None
    assert chart.past.split()[-1] == chart.ahead.split()[0]
    assert (len(chart.past.split()), len(chart.ahead.split())) == (3, 3)
    assert (chart.ticks[0], chart.ticks[-1]) == ("100", "0")
    assert chart.threshold == 40
    assert [(dot.x, dot.y) for dot in chart.dots] == [(250.0, 20.0)]
    assert [row.score or row.words for row in chart.rows if not row.is_ahead] == ["70", "80", "Crossed 60 upwards", "0"]


def test_points_below_nothing_have_a_place_on_the_scale():
    points = [Point(NOW - timedelta(days=1), -7.0), Point(NOW, -3.0)]
    chart = curve_chart.chart(points, now=NOW, threshold=None)
    assert chart is not None and chart.ticks[-1] == "−8"
    assert all(0 <= float(pair.split(",")[1]) <= 100 for pair in chart.past.split())


@pytest.mark.parametrize("scores_of_it", [(), (1.0,), (0.0, 0.0, 0.0)])
def test_where_nothing_happened_there_is_no_curve(scores_of_it):
    points = [Point(NOW + timedelta(days=place), score) for place, score in enumerate(scores_of_it)]
    assert curve_chart.chart(points, now=NOW, threshold=60) is None


# -- the marks of the timeline -----------------------------------------------------------------------------------------


def marks_of(contact_id: int, now: datetime) -> list[str]:
    page = timeline.marked(timeline.page(contact_id=contact_id, limit=200), contact_id=contact_id, now=now)
    return [entry.mark.text if entry.mark else "" for entry in page.entries]


def test_an_event_shows_its_raw_points_however_old_it_is(now, person, activated):
    activated(rule("clicked", 15, decay=FADING), rule("clicked", -2.5), rule("left", -5))
    contact_id = person()
    write_history(contact_id, days(now, 1, 80))
    write_history(contact_id, days(now, 90, type="left"))
    write_history(contact_id, days(now, 91, type="nothing"))
    assert marks_of(contact_id, now) == ["+12.5", "+12.5", "−5", ""]


def test_what_gives_no_points_has_no_mark(now, person, activated):
    activated(
        rule("clicked", 15, repeat={"policy": "once"}),
        rule("email_opened", 5),
        rule("left", 3, signal={"event": "left", "within": "P10D"}),
    )
    contact_id = person()
    write_history(contact_id, days(now, 1, 2))
    write_history(contact_id, days(now, 3), processed=False)
    write_history(contact_id, [Happened("email_opened", now - timedelta(days=4), machine=True)])
    write_history(contact_id, days(now, 5, 11, type="left"))
    assert marks_of(contact_id, now) == ["+15", "", "", "", "+3", ""]


def test_a_page_of_marks_costs_two_statements(now, person, activated):
    activated(rule("clicked", 15), rule("opened", 5, repeat={"policy": "once_per", "period": "P1D"}))
    contact_id = person()
    write_history(contact_id, days(now, *range(100)))
    entries = timeline.page(contact_id=contact_id, only="events", limit=100).entries
    with CaptureQueriesContext(connection) as queries:
        assert len(timeline_marks.points(contact_id=contact_id, entries=entries, now=now)) == 100
    assert len(queries) == 2


def test_without_rules_nothing_is_marked(now, person):
    contact_id = person()
    write_history(contact_id, days(now, 1))
    assert marks_of(contact_id, now) == [""]


# -- reasons -----------------------------------------------------------------------------------------------------------


def test_the_strongest_rules_are_told_in_words(now, person, activated):
    activated(
        rule("clicked", 10, name="Clicked"),
        rule("opened", 1, name="Opened"),
        rule("left", -30, name="Left"),
        {"name": "Director", "signal": {"field": "job_title", "op": "contains", "value": "Director"}, "points": 20},
    )
    contact_id, other = person(attributes={"job_title": "Director"}), person()
    write_history(contact_id, [*days(now, 1, 2), *days(now, 1, type="opened"), *days(now, 1, type="left")])
    found = reasons.of([contact_id, other], at=now, limit=3)
    assert found[contact_id].score == scores.of(contact_ids=[contact_id], at=now)[contact_id] == 11
    assert reasons.told(found[contact_id]) == "Left (once, −30); Clicked (2 times, +20); Director (+20)"
    assert (found[other].score, reasons.told(found[other])) == (0, "")


def test_the_rules_of_a_part_count_as_its_weight_says(now, person, activated):
    activated(rule("clicked", 10, name="Clicked"), name="engagement")
    activated(rule("opened", 4, name="Opened"), parts={"engagement": 0.5})
    contact_id = person()
    write_history(contact_id, [*days(now, 1), *days(now, 1, type="opened")])
    assert reasons.told(reasons.of([contact_id], at=now)[contact_id]) == "Clicked (once, +5); Opened (once, +4)"


def test_reasons_of_a_batch_cost_two_statements(now, person, activated):
    activated(rule("clicked", 10))
    ids = [person() for _ in range(30)]
    with CaptureQueriesContext(connection) as queries:
        assert set(reasons.of(ids, at=now)) == set(ids)
    assert len(queries) == 2


def test_without_rules_nobody_has_a_reason(now, person):
    contact_id = person()
    with transaction.atomic():
        assert reasons.of([contact_id], at=now) == {contact_id: reasons.Reasons(0.0, ())}
