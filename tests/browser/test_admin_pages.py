"""Every page of the admin in Chromium: light, dark, and on a telephone."""

from __future__ import annotations

import pytest
from django.urls import reverse

from contacts import clock
from contacts.models import ContactEvent, Tag
from delivery.models import SandboxMail
from scoring.models import LifecycleEvent, Ruleset
from tests.browser.visit import becomes, expect, visiting
from tests.inhabited import Inhabited, inhabit
from workflows.models import Enrolment, EntryRefusal, SalesTask

pytestmark = pytest.mark.django_db(transaction=True)

LISTS = [
    "contacts_contact", "contacts_segment", "contacts_list", "contacts_contactevent", "contacts_tag", "contacts_apikey",
    "workflows_workflow", "workflows_enrolment", "workflows_entryrefusal",
    "workflows_salestask",
    "delivery_message", "delivery_suppression", "delivery_template", "delivery_provider", "delivery_sandboxmail",
    "delivery_seedaddress",
    "scoring_ruleset", "scoring_lifecycleevent",
    "auth_user", "auth_group", "django_celery_beat_periodictask",
]  # fmt: skip
ADDABLE = [
    "contacts_segment", "contacts_list", "contacts_apikey", "workflows_workflow", "delivery_suppression",
    "delivery_template", "delivery_seedaddress", "scoring_ruleset", "auth_user", "auth_group",
    "django_celery_beat_periodictask", "django_celery_beat_intervalschedule",
]  # fmt: skip
LOOKS = {"light": {"policy": True}, "dark": {"dark": True}, "telephone": {"width": 390, "height": 844}}


@pytest.fixture
def town(transactional_db) -> Inhabited:
    return inhabit(now=clock.now())


def every_page(town: Inhabited) -> list[str]:
    def change(model: str, pk: object) -> str:
        return reverse(f"admin:{model}_change", args=[pk])

    return [
        reverse("admin:index"),
        *(reverse(f"admin:{model}_changelist") for model in LISTS),
        *(reverse(f"admin:{model}_add") for model in ADDABLE),
        change("contacts_contact", town.ana.pk),
        change("contacts_contact", town.ana.pk) + "?only=journeys",
        change("contacts_contact", town.mallory.pk),
        reverse("admin:contacts_contact_edit", args=[town.mallory.pk]),
        change("contacts_tag", Tag.objects.latest("id").pk),
        change("contacts_contactevent", ContactEvent.objects.latest("id").pk),
        change("contacts_apikey", town.key.pk),
        reverse("admin:contacts_website"),
        change("workflows_workflow", town.journey.pk),
        change("workflows_workflow", town.broken_draft.pk),
        reverse("admin:workflows_workflow_versions", args=[town.journey.pk]) + "?number=1",
        reverse("admin:workflows_workflow_delete", args=[town.broken_draft.pk]),
        f"{reverse('admin:workflows_enrolment_changelist')}?workflow={town.journey.pk}&state=here",
        f"{reverse('admin:workflows_entryrefusal_changelist')}?workflow={town.journey.pk}",
        change("workflows_enrolment", Enrolment.objects.filter(state="failed").earliest("id").pk),
        change("workflows_entryrefusal", EntryRefusal.objects.earliest("id").pk),
        change("workflows_salestask", SalesTask.objects.filter(done_at=None).earliest("id").pk),
        change("workflows_salestask", SalesTask.objects.exclude(done_at=None).earliest("id").pk),
        change("delivery_message", town.accepted.pk),
        change("delivery_message", town.capped.pk),
        change("delivery_suppression", town.suppression.pk),
        change("delivery_template", town.accepted.template_version.template_id),
        change("delivery_provider", "sendgrid"),
        change("delivery_sandboxmail", SandboxMail.objects.latest("id").pk),
        change("scoring_ruleset", Ruleset.objects.latest("id").pk),
        change("scoring_lifecycleevent", LifecycleEvent.objects.latest("id").pk),
        change("auth_user", town.superuser.pk),
        f"{reverse('admin:contacts_contact_changelist')}?q=nobody-is-called-so",
        reverse("admin:app_list", args=["contacts"]),
        reverse("admin:password_change"),
    ]


@pytest.mark.parametrize("look", LOOKS)
def test_every_page_opens_without_a_complaint_and_fits_its_window(browser, live_server, town, look):
    with visiting(browser, live_server.url, **LOOKS[look]) as visitor:
        for path in every_page(town):
            visitor.go(path)
            page = visitor.page
            assert visitor.complaints == [], path
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (
                f"{path} is wider than the window"
            )
            assert page.evaluate("window.broken") is None, f"{path} runs what was stored as a name"
            expect(page.locator("h1").first, path).to_be_visible()
            expect(page.locator("html.dark"), path).to_have_count(1 if look == "dark" else 0)


def test_an_empty_installation_says_what_to_do_first_and_the_command_can_be_copied(
    browser, live_server, django_user_model
):
    django_user_model.objects.create_superuser("maya", "maya@example.com", "correct horse")
    with visiting(browser, live_server.url) as visitor:
        visitor.page.get_by_role("button", name="Copy").first.click()
        visitor.page.get_by_role("button", name="Copied").wait_for()
        becomes(lambda: visitor.page.evaluate("navigator.clipboard.readText()"), "bin/up --demo", visitor.page)
        for model in LISTS:
            visitor.go(reverse(f"admin:{model}_changelist"))
            if model not in ("auth_user", "delivery_provider"):  # there are Maya, and who would deliver
                expect(visitor.page.locator(".cl-nothing h2"), model).to_be_visible()


def test_the_start_page_follows_what_happens_while_somebody_looks(browser, live_server, town):
    with visiting(browser, live_server.url) as visitor:
        page = visitor.page
        tile = page.locator(".cl-tile", has_text="Contacts").locator(".cl-n")
        before = int(tile.text_content())
        page.evaluate("document.getElementById('start-chart').dataset.kept = 'yes'")
        town.ana.__class__.objects.create(email="newcomer@example.com")
        page.wait_for_function(f"document.querySelector('.cl-tile .cl-n').textContent === '{before + 1}'")
        expect(page.locator("#start-chart")).to_have_attribute("data-kept", "yes")


def test_the_chart_starts_at_zero_and_follows_the_theme(browser, live_server, town):
    with visiting(browser, live_server.url) as visitor:
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
