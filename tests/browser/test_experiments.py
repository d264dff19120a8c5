"""Somebody plans an experiment, reads how it stands, and rolls the winner out."""

from __future__ import annotations

import os
import random
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import transaction

from analytics.experiments import outcomes, register
from analytics.models import Experiment
from contacts import clock
from tests import journeys
from tests.browser.visit import PASSWORD, USERNAME, expect, visiting
from workflows.models import ExperimentAssignment, Workflow

pytestmark = pytest.mark.django_db(transaction=True)

FOLDER = os.environ.get("SCREENSHOTS")  # where to leave pictures of every step
PEOPLE = 3_000
RATES = {"holdout": 0.08, "story": 0.11, "offer": 0.19}


@pytest.fixture
def maya(transactional_db) -> User:
    return User.objects.create_superuser(USERNAME, "maya@example.com", PASSWORD)


@pytest.fixture
def experiment(transactional_db) -> Experiment:
    """Forty days of contacts, the last seven of them with an open window; the offer does better."""
    variants = [{"key": "story", "weight": 40}, {"key": "offer", "weight": 40}, {"key": "holdout", "weight": 20}]
    steps = {
        "greet": journeys.step("add_tag", {"next": "split"}, tag="greeted"),
        "split": journeys.step(
            "experiment",
            {"story": "tell", "offer": "sell", "holdout": None},
            experiment="story-or-offer",
            variants=variants,
        ),
        "tell": journeys.step("add_tag", tag="told"),
        "sell": journeys.step("add_tag", tag="sold"),
    }
    journeys.publish(journeys.definition(steps, slug="welcome", exit={"goal": [{"event": "subscribed"}]}))
    with transaction.atomic():
        register.make_missing(now=clock.now())
    experiment = Experiment.objects.get()
    dice = random.Random(12)
    start = clock.now() - timedelta(days=40)
    version = Workflow.objects.get().live_version_id
    rows, converted, left = [], [], []
    for place, contact_id in enumerate(journeys.contacts(PEOPLE)):
        variant = dice.choices(("story", "offer", "holdout"), (40, 40, 20))[0]
        at = start + timedelta(days=40) * place / PEOPLE
        rows.append(
            ExperimentAssignment(
                experiment=experiment.slug,
                contact_id=contact_id,
                variant=variant,
                bucket=1,
                enrolment_id=contact_id,
                version_id=version,
                step="split",
                assigned_at=at,
            )
        )
        if dice.random() < RATES[variant]:
            converted.append((contact_id, at + timedelta(minutes=5)))
        if variant != "holdout" and dice.random() < 0.004:
            left.append((contact_id, at + timedelta(minutes=7)))
    ExperimentAssignment.objects.bulk_create(rows)
    for contact_id, at in converted:
        journeys.track(contact_id, "subscribed", occurred_at=at)
    for contact_id, at in left:
        journeys.track(contact_id, "email_unsubscribed", occurred_at=at)
    return experiment


def follow() -> None:
    while True:
        with transaction.atomic():
            if not outcomes.work(now=clock.now()):
                return


def picture(page, name: str, dark: bool, width: int) -> None:
    if FOLDER:
        page.screenshot(path=f"{FOLDER}/{name}_{'dark' if dark else 'light'}_{width}.png", full_page=True)


def fits(page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.parametrize(("dark", "width"), [(False, 1280), (True, 390), (True, 1280), (False, 390)])
def test_an_experiment_is_planned_read_and_rolled_out(browser, live_server, maya, experiment, dark, width):
    with visiting(browser, live_server.url, dark=dark, width=width) as visitor:
        page = visitor.page
        visitor.go("/admin/analytics/experiment/")
        picture(page, "list", dark, width)
        page.get_by_role("link", name="story-or-offer").click()
        expect(page.get_by_role("heading", name="Keep running")).to_be_visible()
        picture(page, "empty", dark, width)

        page.get_by_role("link", name="Settings", exact=True).click()
        page.get_by_label("Hypothesis").fill("An offer brings more people to subscribe than a story does.")
        page.get_by_label("a stage is reached").check()
        expect(page.get_by_label("Stage", exact=True)).to_be_visible()
        page.get_by_label("something happens").check()
        expect(page.get_by_label("Event", exact=True)).to_be_visible()
        picture(page, "settings", dark, width)
        assert fits(page)
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_text("The settings are saved.")).to_be_visible()

        follow()
        page.reload()
        expect(page.get_by_role("heading", name="offer wins")).to_be_visible()
        expect(page.get_by_role("img", name="Conversion rate of every variant")).to_be_visible()
        expect(page.get_by_role("img", name="By how much offer leads")).to_be_visible()
        picture(page, "wins", dark, width)
        assert fits(page)
        for summary in page.get_by_text("The numbers").all():
            summary.click()
        expect(page.get_by_role("columnheader", name="Assigned until")).to_be_visible()
        picture(page, "numbers", dark, width)
        assert fits(page)

        page.get_by_role("link", name="Settings", exact=True).click()
        expect(page.get_by_text("only the title may change")).to_be_visible()
        expect(page.get_by_label("Hypothesis")).to_be_disabled()
        expect(page.get_by_label("a stage is reached")).to_be_disabled()
        picture(page, "fixed", dark, width)
        page.get_by_label("Title").fill("Story or offer")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_text("The settings are saved.")).to_be_visible()
        expect(page.get_by_role("heading", name="offer wins")).to_be_visible()

        page.get_by_role("button", name="Roll out…").click()
        expect(page.get_by_label("Variant for everybody")).to_have_value("offer")
        picture(page, "asks", dark, width)
        page.get_by_role("button", name="See what changes").click()
        expect(page.get_by_role("heading", name="What changes")).to_be_visible()
        picture(page, "roll_out", dark, width)
        assert fits(page)
        page.get_by_role("button", name="Publish").click()
        expect(page.get_by_text("Version 2 is published")).to_be_visible()
        expect(page.get_by_role("heading", name="Decided: offer won, in version 2")).to_be_visible()
        picture(page, "decided", dark, width)
        experiment.refresh_from_db()
        assert (experiment.decision, experiment.decided_by, experiment.rolled_out_in) == ("offer", USERNAME, 2)


def test_a_decision_is_recorded_from_the_keyboard(browser, live_server, maya, experiment):
    follow()
    with visiting(browser, live_server.url) as visitor:
        page = visitor.page
        visitor.go(f"/admin/analytics/experiment/{experiment.pk}/change/")
        page.get_by_role("button", name="Decide…").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="Not now").first).to_be_focused()
        page.get_by_label("Who won").select_option("")
        page.get_by_label("Why").fill("It is not worth the work.")
        page.get_by_role("button", name="Record").press("Enter")
        expect(page.get_by_role("heading", name="Decided: none won")).to_be_visible()
