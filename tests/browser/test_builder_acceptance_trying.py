"""Test contact in Chromium: the acceptance check 28, with a clean console."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.urls import reverse

from contacts import clock
from contacts.models import ContactIdentity
from delivery import suppression
from tests import journeys
from tests.browser.visit import PASSWORD, USERNAME, expect, visiting
from tests.journeys import definition, step
from tests.workflows.journey_tests.playing import database_url
from workflows import scratch
from workflows.models import Workflow
from workflows.trying import process

pytestmark = pytest.mark.django_db(transaction=True)

PRO = [{"key": "yes", "if": {"field": "plan", "op": "eq", "value": "pro"}}]
TRIAL = definition(
    {
        "pause": {**step("wait", {"next": "hello"}, mode="duration", **{"for": "P1D"}), "name": "A day later"},
        "hello": {**step("send_email", {"next": "nine"}, template="first"), "name": "Hello"},
        "nine": {**step("wait", {"next": "plan"}, mode="local_time", at="09:00"), "name": "Morning, their time"},
        "plan": {**step("branch", {"yes": "tag", "else": None}, arms=PRO), "name": "On the pro plan?"},
        "tag": {**step("add_tag", tag="pro"), "name": "Tag as pro"},
    },
    slug="trial",
)


@pytest.fixture
def tried(transactional_db, monkeypatch) -> Iterator[None]:
    monkeypatch.setenv("DATABASE_URL", database_url())  # for the child
    with scratch.open_scratch(now=clock.now()):
        pass  # its tables are made once, which takes some seconds
    process.warm()
    yield
    process.end()


def unsubscribed(address: str) -> int:
    """A contact of Madrid whose address says no to marketing."""
    pk = journeys.contact(address, timezone="Europe/Madrid").pk
    ContactIdentity.objects.create(kind="email", value=address, contact_id=pk, first_seen_at=clock.now())
    suppression.suppress(
        channel="email", address=address, scope="email", reason="unsubscribe", source="link", now=clock.now()
    )
    return pk


def fingerprints() -> dict[str, tuple[int, int]]:
    """Of every table of the product: how many rows, and the sum of what they say."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        tables = [name for (name,) in cursor.fetchall()]
        cursor.execute(
            " UNION ALL ".join(
                f"SELECT '{name}', count(*), coalesce(sum(hashtext(t::text)), 0) FROM \"{name}\" t" for name in tables
            )
        )
        return {name: (rows, said) for name, rows, said in cursor.fetchall()}


def test_a_test_contact_shows_the_path_its_local_times_and_what_is_skipped(browser, live_server, tried):
    """28. Somebody unsubscribed of Madrid, in winter; afterwards not one row of any table is another one."""
    User.objects.create_superuser(USERNAME, password=PASSWORD)
    journeys.template("first")
    journeys.publish(TRIAL)
    pk = unsubscribed("ada@example.com")
    with visiting(browser, live_server.url) as visitor:
        page = visitor.page
        visitor.go(reverse("admin:workflows_workflow_change", args=[Workflow.objects.get().pk]))
        before = fingerprints()
        page.get_by_role("button", name="Test contact").click()
        page.locator("#trying-search").fill("ada@example.com")
        page.locator(f"#trying-found [value='{pk}']").check()
        page.get_by_label("Enters at").fill("2027-01-11T13:00")
        page.get_by_role("button", name="Test", exact=True).click()
        page.wait_for_selector("#trying-came h4", timeout=90_000)  # a process has to be started
        expect(page.locator("#trying-came h4")).to_have_text("Comes to the end of the journey.")
        expect(page.locator("#card-hello .jb-tried")).to_have_text("Tue 12 Jan, 13:00 Madrid · skipped")
        expect(page.locator("[data-stop=hello]")).to_contain_text("Would be skipped: they unsubscribed")
        expect(page.locator("#card-plan .jb-tried")).to_contain_text("Wed 13 Jan, 09:00 Madrid")
        for passed in ("[id='card-.trigger']", "#card-pause", "#card-hello", "#card-nine", "#card-plan"):
            expect(page.locator(f"{passed}.jb-passed")).to_have_count(1)
        expect(page.locator(".jb-card.jb-passed")).to_have_count(5)
        expect(page.locator("#line-plan-else.jb-passed")).to_have_count(1)
        expect(page.locator("#line-plan-yes.jb-passed")).to_have_count(0)
        assert fingerprints() == before
