"""Every report reads what is documented, answers whatever it may be asked, and can be drawn and written."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest
import yaml
from django.conf import settings
from django.db import connection

from analytics.reporting.views import VIEWS
from analytics.reports import asked, drawing, files, reading, wording
from analytics.reports.register import named, reports
from analytics.reports.report import KINDS, WORDS, Bars, Choice, Heat, OneOf, Period, Ranges, Report

ALL = pytest.mark.parametrize("report", reports(), ids=lambda report: report.slug)


def answer(slug: str, **said: str) -> list[tuple]:
    report = named(slug)
    assert report is not None
    return list(reading.read(report, asked.read(report, said)).rows)


@ALL
def test_a_report_answers_every_choice_with_its_own_columns(built, report):
    choices = [[(each.key, value) for value in each.options] for each in report.filters if isinstance(each, Choice)]
    for said in product(*choices):
        wanted = asked.read(report, dict(said))
        with connection.cursor() as cursor:
            cursor.execute(report.query, wanted.values)
            assert [column.name for column in cursor.description] == [column.key for column in report.columns]
        rows = reading.read(report, wanted).rows
        for chart in report.charts:
            drawing.draw(report, chart, rows, wording.shown)
        for kind in files.TYPES:
            assert b"".join(files.pieces(report, rows, kind))
    assert reading.read(report, asked.read(report, {})).rows, "the usual question has an answer"


@ALL
def test_every_filter_narrows_to_what_is_there_and_to_nothing_otherwise(built, report: Report):
    values = reading.options(report)
    for each in report.filters:
        if isinstance(each, OneOf):
            assert reading.read(report, asked.read(report, {each.key: "no-such-thing"})).rows == []
            assert values[each.key], each.key
        if isinstance(each, Period):
            since, until = asked.names(each)
            assert reading.read(report, asked.read(report, {since: "2100-01-01"})).rows == []
            assert reading.read(report, asked.read(report, {until: "1970-01-01"})).rows == []


@ALL
def test_a_description_is_whole(report: Report):
    assert {column.kind for column in report.columns} <= set(KINDS)
    numbers = {column.key for column in report.columns if column.kind not in WORDS}
    for chart in report.charts:
        match chart:
            case Bars():
                assert set(chart.series) <= numbers
                assert len(chart.series) <= len(drawing.TONES)
            case Ranges():
                assert {chart.low, chart.middle, chart.high, chart.far} <= numbers
            case Heat():
                assert {chart.column, chart.value, chart.size} <= numbers
    assert report.question.endswith("?")
    assert report.empty.endswith(".")


def documented() -> dict[str, set[str]]:
    """Mart -> the columns that dbt's documentation names."""
    found: dict[str, set[str]] = {}
    for path in sorted((Path(settings.BASE_DIR) / "analytics/dbt/models/marts").glob("*.yml")):
        for model in yaml.safe_load(path.read_text(encoding="utf-8")).get("models", []):
            found[model["name"]] = {column["name"] for column in model.get("columns", [])}
    return found


def test_reports_and_views_read_documented_columns_of_the_marts_only():
    known = documented()
    read = [(mart, name) for report in reports() for mart, names in report.reads.items() for name in names]
    read += [(view.mart, name) for view in VIEWS if view.mart for name in view.columns]
    assert len(read) > 60
    assert [f"{mart}.{name}" for mart, name in read if name not in known.get(mart, set())] == []


def test_the_funnel_is_in_the_order_of_stages(built):
    assert [row[:4] for row in answer("funnel")] == [
        ("subscriber", 100, 60, 40), ("lead", 40, 10, 30), ("mql", 30, 20, 10),
    ]  # fmt: skip


def test_a_model_of_attribution_shares_out_the_same_conversions(built):
    by_journey = {row[0]: (float(row[3]), float(row[4])) for row in answer("attribution", model="first")}
    assert by_journey == {"trial": (4, 400), None: (2, 100)}
    by_type = {row[1]: float(row[4]) for row in answer("attribution", model="last", by="touch_type")}
    assert by_type == {"direct": 340, "email": 160}
    january = answer("attribution", model="first", months_to="2026-01-31")
    assert sum(float(row[4]) for row in january) == 250
    assert answer("attribution", kind="customer") == []


def test_revenue_is_never_added_up_over_currencies(built):
    assert [(str(row[0]), row[1], float(row[3]), float(row[5])) for row in answer("revenue")] == [
        ("2026-02-01", "EUR", 900.0, 1000.5), ("2026-02-01", "USD", 70.0, 70.0), ("2026-01-01", "EUR", 100.5, 100.5),
    ]  # fmt: skip
    assert [str(row[0]) for row in answer("revenue", step="week", source="deal_won")] == ["2026-01-26"]


def test_cohorts_measure_what_is_asked_and_leave_out_old_ones(built):
    assert [float(row[4]) for row in answer("cohorts")] == [0.75, 1.0, 0.4]
    assert [int(row[3]) for row in answer("cohorts", measure="converted")] == [0, 1, 2]
    assert [int(row[3]) for row in answer("cohorts", measure="bought")] == [1]
    assert len(answer("cohorts", months="1200")) == 4


def test_weeks_of_pressure_are_added_up_before_shares_are_taken(built):
    rows = {row[0]: row for row in answer("pressure")}
    assert (int(rows[1][1]), float(rows[1][4])) == (100, 0.4)
    assert (int(rows[3][2]), float(rows[3][6])) == (7, 0.1)
    assert len(answer("pressure", weeks_to="2026-01-05")) == 1


def test_deliverability_counts_email_only_and_says_by_whom(built):
    assert [row[:2] for row in answer("deliverability")] == [("gmail", None)]
    assert [row[:2] for row in answer("deliverability", by="both")] == [("gmail", "news.example")]
    assert float(answer("deliverability")[0][6]) == 0.1  # bounced, of sent


def test_a_chart_of_nothing_says_so_and_one_with_anything_is_drawn(db):
    report = named("time-in-stage")
    assert report is not None
    nobody_left = ("mql", "trial", 3, 3, None, None, None, None, None, 0, 0, 0, 0, 0)
    somebody_did = ("mql", "trial", 3, 2, 1.0, 2.0, 3.0, 4.0, 2.0, 0, 1, 0, 0, 0)
    for rows, are_empty in (([nobody_left], [True, True]), ([nobody_left, somebody_did], [False, False])):
        drawn = [drawing.draw(report, chart, rows, wording.shown) for chart in report.charts]
        assert [each.is_empty for each in drawn] == are_empty


def test_time_to_a_stage_is_by_entry_workflow(built):
    assert [(row[0], row[3]) for row in answer("time-to-mql")] == [("trial", 20), (None, 30)]
    assert [(row[0], row[1]) for row in answer("time-to-mql", stage="customer")] == [("trial", "customer")]
