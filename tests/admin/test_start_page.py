"""The start page: the numbers of the house, a part of itself for refreshing, first steps where nothing is."""

from __future__ import annotations

import pytest
from django.urls import reverse

from analytics.templatetags.start import age, shares
from contacts import clock
from delivery.models import SendLogEntry
from workflows import gallery
from workflows.models import DeadLetter, Enrolment, Workflow


def test_the_numbers_are_those_of_the_tables(maya, town):
    start = maya.get(reverse("admin:index")).context["start"]
    assert start.contacts == 24
    journey = next(journey for journey in start.journeys if journey.slug == "first-order")
    assert journey.entered == journey.here_now + journey.completed + journey.exited + journey.failed == 24
    assert sum(share.width for share in shares(journey)) == journey.entered


def test_the_page_fetches_only_its_own_content(maya):
    page = maya.get(reverse("admin:index"), {"live": "1"}).content.decode()
    assert 'id="start"' in page
    assert "nav-sidebar" not in page
    assert "<html" not in page


def test_an_installation_with_nothing_in_it_says_what_to_do_first(staff):
    page = staff().get(reverse("admin:index")).content.decode()
    assert "bin/up --demo" in page
    assert "import_contacts" in page


def test_the_first_numbers_are_of_today_and_of_what_waits_for_somebody(maya, town):
    midnight = clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
    start = maya.get(reverse("admin:index")).context["start"]
    assert start.live == Workflow.objects.filter(status="live").count() > 0
    assert start.entered_today == Enrolment.objects.filter(entered_at__gte=midnight).count()
    assert start.sent_today == SendLogEntry.objects.filter(kind="accepted", at__gte=midnight).count()
    failed = DeadLetter.objects.filter(state="open").count()
    assert failed and f"{failed} failed step{'s' if failed > 1 else ''}" in [str(each) for each in start.problems]


def test_queues_in_which_nothing_waits_are_folded_away(maya):
    page = maya.get(reverse("admin:index"))
    start, shown = page.context["start"], page.content.decode()
    busy, quiet = shown.split('id="start-queues"')[1].split("<details", 1)
    waiting = [queue for queue in start.queues if queue.depth or queue.late]
    assert 0 < len(waiting) < len(start.queues)
    assert busy.split("</section>")[0].count("<tr>") == len(waiting) + 1
    assert f"{len(start.queues) - len(waiting)} quiet queue" in quiet


def test_a_new_installation_begins_with_the_gallery_for_whoever_writes_journeys(staff):
    writer = staff("workflows.add_workflow", "workflows.view_workflow")
    page = writer.get(reverse("admin:index")).content.decode()
    begin = reverse("admin:workflows_workflow_add")
    assert page.count(f'action="{begin}"') == len(gallery.samples()) >= 8
    assert "Use this journey" not in staff("workflows.view_workflow").get(reverse("admin:index")).content.decode()


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "–"),
        (0.0, "0.0 s"),
        (1.24, "1.2 s"),
        (42.0, "42 s"),
        (361.0, "6 min"),
        (7300.0, "2 h"),
        (864000.0, "10 days"),
    ],
)
def test_an_age_is_told_in_the_unit_that_says_most(seconds, said):
    assert age(seconds) == said


@pytest.mark.parametrize("right", ["view_ruleset", "change_ruleset", "add_ruleset", "view_backtest"])
def test_the_side_bar_leads_to_the_back_tests_exactly_whom_their_page_lets_in(staff, right):
    person = staff(f"scoring.{right}")
    page = reverse("admin:scoring_backtest_changelist")
    is_offered = f'href="{page}"' in person.get(reverse("admin:index")).content.decode()
    assert is_offered == (person.get(page).status_code == 200) == (right != "view_backtest")
