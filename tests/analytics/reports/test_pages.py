"""The reports in the admin."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from analytics.models import ReportSubscription
from analytics.reports.register import reports
from workflows.models import Workflow

LIST = "/admin/analytics/reportsubscription/"
VIEW, ADD, CHANGE = (f"{deed}_reportsubscription" for deed in ("view", "add", "change"))


def visitor(name: str, *permissions: str) -> Client:
    user = User.objects.create_user(name, f"{name}@example.com", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def lena(db) -> Client:
    return visitor("lena", VIEW, ADD)


@pytest.mark.parametrize("slug", [report.slug for report in reports()])
def test_a_report_shows_its_charts_its_table_and_when_it_was_built(lena, built, slug):
    page = lena.get(f"{LIST}{slug}/")
    assert page.status_code == 200
    assert page.context["rows"]
    assert len(page.context["charts"]) == len(page.context["report"].charts)
    shown = page.content.decode()
    assert "As of" in shown
    assert f"{slug}.csv" in shown
    assert f"{slug}.parquet" in shown


def test_a_journey_is_called_by_its_name_on_pages_and_by_its_slug_in_files(lena, built):
    Workflow.objects.create(slug="trial", name="Trial onboarding")
    for slug in ("time-to-mql", "time-in-stage", "attribution"):
        page = lena.get(f"{LIST}{slug}/")
        words = {text for row in page.context["rows"] for text, _ in row}
        assert "Trial onboarding" in words and "trial" not in words, slug
        options = [each for field in page.context["fields"] for each in field.options if field.name == "workflow"]
        assert slug == "attribution" or ("trial", "Trial onboarding") in options
        file = b"".join(lena.get(f"{LIST}{slug}.csv").streaming_content).decode()
        assert "trial" in file and "Trial onboarding" not in file


def test_journeys_of_one_name_are_told_apart_by_their_slugs(lena, built):
    for slug in ("trial", "trial-2"):
        Workflow.objects.create(slug=slug, name="Trial onboarding")
    words = {text for row in lena.get(f"{LIST}time-to-mql/").context["rows"] for text, _ in row}
    assert "Trial onboarding (trial)" in words


def test_before_the_first_build_every_page_says_what_to_do(lena):
    for path in (LIST, f"{LIST}funnel/"):
        shown = lena.get(path).content.decode()
        assert "has not been built yet" in shown
        assert "manage.py build_warehouse" in shown


def test_a_report_without_rows_says_what_has_to_happen_first(lena, built):
    shown = lena.get(f"{LIST}attribution/?kind=customer").content.decode()
    assert "Nothing to show" in shown
    assert "WAREHOUSE_REVENUE_EVENTS" in shown
    assert "Show everything" in shown


def test_what_cannot_be_asked_is_said_beside_its_filter(lena, built):
    page = lena.get(f"{LIST}revenue/?days_from=soon&step=hour")
    assert page.status_code == 200
    problems = {field.name: field.problem for field in page.context["fields"] if field.problem}
    assert set(problems) == {"days_from", "step"}
    assert not page.context["is_read"]
    assert lena.get(f"{LIST}revenue.csv?days_from=soon").status_code == 302


@pytest.mark.parametrize("hostile", ["<script>1</script>", "'; DROP TABLE contacts; --", "%s%(x)s", "\x00", "é" * 600])
def test_hostile_words_are_words(lena, built, hostile):
    page = lena.get(f"{LIST}revenue/", {"currency": hostile, "source": hostile})
    assert page.status_code == 200
    assert b"<script>1" not in page.content


def test_a_mart_of_an_older_version_is_said_to_be_one(lena, built):
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE marts.funnel DROP COLUMN went_on")
    assert "built by an older version" in lena.get(f"{LIST}funnel/").content.decode()


def test_a_file_has_what_the_page_asks(lena, built):
    address = lena.get(f"{LIST}revenue/?currency=USD").context["csv_url"]
    assert b"".join(lena.get(address).streaming_content).decode().splitlines()[1:] == [
        "2026-02-01,USD,1,70,70.0000000000000000,70"
    ]
    assert lena.get(f"{LIST}revenue.xlsx").status_code == 404


def test_a_subscription_is_made_shown_and_stopped(lena, built):
    said = {"email": "boss@example.com", "every": "week", "weekday": "5", "at_hour": "7", "timezone": "Europe/Berlin"}
    answer = lena.post(f"{LIST}revenue/mail/?currency=EUR", said)
    assert answer.status_code == 302
    made = ReportSubscription.objects.get()
    assert (made.report, made.filters, made.every, made.on_day, made.at_hour, made.created_by) == (
        "revenue", {"currency": "EUR"}, "week", 5, 7, "lena",
    )  # fmt: skip
    shown = lena.get(f"{LIST}revenue/").content.decode()
    assert "every Friday at 07:00 (Europe/Berlin)" in shown
    stop = reverse("admin:analytics_report_stop", args=[made.public_id])
    assert lena.get(stop).status_code == 403
    assert lena.post(stop).status_code == 302
    made.refresh_from_db()
    assert not made.is_active


def test_a_subscription_that_cannot_be_is_said_at_its_field(lena, built):
    answer = lena.post(f"{LIST}funnel/mail/", {"email": "boss", "every": "day", "at_hour": "7", "timezone": "Berlin"})
    assert answer.status_code == 422
    assert set(answer.context["form"].errors) == {"email", "timezone"}
    assert not ReportSubscription.objects.exists()


def test_who_may_only_look_sends_nothing_and_sees_nobody_elses_mails(lena, built):
    lena.post(f"{LIST}funnel/mail/", {"email": "a@example.com", "every": "day", "at_hour": "7", "timezone": "UTC"})
    made = ReportSubscription.objects.get()
    omar = visitor("omar", VIEW)
    shown = omar.get(f"{LIST}funnel/").content.decode()
    assert "a@example.com" not in shown
    assert "Send by mail" not in shown
    assert omar.get(f"{LIST}funnel/mail/").status_code == 403
    stop = reverse("admin:analytics_report_stop", args=[made.public_id])
    assert omar.post(stop).status_code == 403
    ida = visitor("ida", VIEW, CHANGE)
    assert "a@example.com" in ida.get(LIST).content.decode()
    assert ida.post(stop).status_code == 302


def test_who_may_see_no_reports_gets_none(built):
    nobody = visitor("nobody")
    for path in ("", "funnel/", "funnel.csv", "funnel/mail/"):
        assert nobody.get(LIST + path).status_code == 403
