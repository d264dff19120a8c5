"""Every page of the admin in Chromium: light, dark, and on a telephone."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from django.urls import reverse

from config.admin_site import UNFOLD
from contacts import clock
from tests.browser import auditing
from tests.browser.pages import PAGES, open_page
from tests.browser.visit import becomes, expect, visiting
from tests.inhabited import Inhabited, inhabit

pytestmark = pytest.mark.django_db(transaction=True)

# Those that say what to do while there is nothing to list.
LISTS = [
    "contacts_contact", "contacts_segment", "contacts_list", "contacts_contactevent", "contacts_tag", "contacts_apikey",
    "workflows_workflow", "workflows_enrolment", "workflows_entryrefusal",
    "workflows_salestask",
    "delivery_message", "delivery_suppression", "delivery_template", "delivery_provider", "delivery_sandboxmail",
    "delivery_seedaddress",
    "scoring_ruleset", "scoring_lifecycleevent",
    "auth_user", "auth_group", "django_celery_beat_periodictask",
]  # fmt: skip
LOOKS = {"light": {}, "dark": {"dark": True}, "telephone": {"width": 390, "height": 844}}


@pytest.fixture
def town(transactional_db) -> Inhabited:
    return inhabit(now=clock.now())


@pytest.mark.timeout(600)
@pytest.mark.parametrize("look", LOOKS)
def test_every_page_opens_without_a_complaint_fits_its_window_and_can_be_used_by_everybody(
    browser, live_server, lively, look
):
    audited = look != "telephone"
    faults: list[str] = []
    with visiting(browser, live_server.url, **LOOKS[look]) as visitor:
        page = visitor.page
        for each in PAGES:
            open_page(visitor, each, lively)
            faults += [f"{each.name}: {said}" for said in visitor.complaints]
            visitor.complaints.clear()
            if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                faults.append(f"{each.name} is wider than the window")
            assert page.evaluate("window.broken") is None, f"{each.name} runs what was stored as a name"
            if not each.public:
                expect(page.locator("html.dark"), each.name).to_have_count(1 if look == "dark" else 0)
            if audited:
                in_dark = look == "dark"  # where the same stands in the same places
                faults += auditing.audit(page, each.name, colours_alone=in_dark) if auditing.is_installed() else []
                faults += auditing.too_wide(page, each.name) if not in_dark else []
    assert faults == [], "\n".join(faults)
    if audited:
        auditing.require_axe()  # all else was looked at


def test_every_page_that_the_sidebar_leads_to_is_looked_at(lively):
    sidebar = {str(item["link"]) for group in UNFOLD["SIDEBAR"]["navigation"] for item in group["items"]}
    assert sidebar - {each.path(lively) for each in PAGES} == set()


def test_an_empty_installation_says_what_to_do_first_and_the_command_can_be_copied(
    browser, live_server, django_user_model
):
    django_user_model.objects.create_superuser("maya", "maya@example.com", "correct horse")
    Group.objects.all().delete()  # the roles come with it, and the page of an empty list is looked at all the same
    with visiting(browser, live_server.url) as visitor:
        visitor.log_in()  # by the form, as everybody does
        visitor.page.get_by_role("button", name="Copy").first.click()
        visitor.page.get_by_role("button", name="Copied").wait_for()
        becomes(lambda: visitor.page.evaluate("navigator.clipboard.readText()"), "bin/up --demo", visitor.page)
        for model in LISTS:
            visitor.go(reverse(f"admin:{model}_changelist"))
            if model not in ("auth_user", "delivery_provider"):  # there are Maya, and who would deliver
                expect(visitor.page.locator(".cl-nothing h2"), model).to_be_visible()


def test_the_start_page_follows_what_happens_while_somebody_looks(browser, live_server, town):
    with visiting(browser, live_server.url) as visitor:
        visitor.go(reverse("admin:index"))
        page = visitor.page
        tile = page.locator(".cl-tile", has=page.get_by_text("Contacts", exact=True)).locator(".cl-n")
        before = int(tile.text_content())
        page.evaluate("document.getElementById('start-chart').dataset.kept = 'yes'")
        town.ana.__class__.objects.create(email="newcomer@example.com")
        expect(tile).to_have_text(str(before + 1))
        expect(page.locator("#start-chart")).to_have_attribute("data-kept", "yes")


def test_the_chart_starts_at_zero_and_follows_the_theme(browser, live_server, town):
    with visiting(browser, live_server.url) as visitor:
        visitor.go(reverse("admin:index"))
        page = visitor.page
        drawn = "Chart.getChart('start-chart')"
        page.wait_for_function(drawn)
        assert page.evaluate(f"{drawn}.scales.y.min") == 0
        assert page.evaluate(f"{drawn}.scales.y.options.display !== false")
        rows = page.locator("#outcomes tbody tr")
        counts = [int(row.get_attribute("data-count")) for row in rows.all()]
        assert page.evaluate(f"{drawn}.data.datasets[0].data") == counts
        light = page.evaluate(f"{drawn}.options.scales.y.ticks.color")
        page.evaluate("document.documentElement.classList.add('dark')")
        page.wait_for_function(f"{drawn}.options.scales.y.ticks.color !== '{light}'")
