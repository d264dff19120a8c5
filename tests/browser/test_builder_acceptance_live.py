"""A live journey in Chromium: the acceptance checks 22 to 29, with a worker at work beside the page and a clock that
the test turns on. (28 stands in `test_builder_acceptance_trying.py`, 30 and 31 in `test_builder_operations.py`.)"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connections, transaction
from django.urls import reverse

from analytics.counting import counters
from contacts import access, clock
from contacts.models import Contact, ContactIdentity
from delivery import suppression
from delivery.models import SandboxMail
from tests import journeys
from tests.browser.visit import PASSWORD, USERNAME, becomes, expect, visiting
from tests.delivery import making
from tests.journeys import definition, step
from workflows.models import Enrolment, EntryRefusal, JournalEntry, Workflow, WorkflowVersion

pytestmark = pytest.mark.django_db(transaction=True)

PRO = [{"key": "yes", "if": {"field": "plan", "op": "eq", "value": "pro"}}]
MORNING = definition(
    {
        "nine": {**step("wait", {"next": "plan"}, mode="local_time", at="09:00"), "name": "Morning, their time"},
        "plan": {**step("branch", {"yes": "tag", "else": "pause"}, arms=PRO), "name": "On the pro plan?"},
        "tag": {**step("add_tag", tag="pro"), "name": "Tag as pro"},
        "pause": {**step("wait", mode="duration", **{"for": "P3D"}), "name": "Three more days"},
    },
    slug="trial",
)
MAILING = definition(
    {
        "pause": {**step("wait", {"next": "hello"}, mode="duration", **{"for": "P1D"}), "name": "A day later"},
        "hello": {**step("send_email", template="first"), "name": "Hello"},
    },
    slug="mailing",
)


class Turned:
    """The database's clock, turned on by `offset`, for everybody who asks `contacts.clock`."""

    def __init__(self) -> None:
        self.offset = timedelta()
        self._read: Callable[[], datetime] = clock.now

    def now(self) -> datetime:
        return self._read() + self.offset

    def to(self, instant: datetime) -> None:
        self.offset = instant - self._read()


@pytest.fixture
def time(monkeypatch) -> Turned:
    turned = Turned()
    monkeypatch.setattr(clock, "now", turned.now)
    return turned


@pytest.fixture
def maya(transactional_db) -> User:
    return User.objects.create_superuser(USERNAME, password=PASSWORD, first_name="Maya")


@contextmanager
def working() -> Iterator[None]:
    """A worker: matches, advances, delivers and counts, again and again, in a thread of its own."""
    enough = threading.Event()
    failures: list[Exception] = []

    def work() -> None:
        try:
            while not enough.wait(0.1):
                journeys.run()
                making.deliver("urgent")
                counters.fold()
        except Exception as error:
            failures.append(error)
        finally:
            connections.close_all()

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    try:
        yield
    finally:
        enough.set()
        worker.join(timeout=30)
        assert failures == [] and not worker.is_alive()


@pytest.fixture
def track(maya) -> Callable[..., None]:
    """`track(page, "ada", "bob")`: each of them signs up, over HTTP."""
    with transaction.atomic():
        key = access.create_key(name="shop", kind="secret", scopes=["events:write"], now=clock.now())

    def post(page: Any, *names: str) -> None:
        events = [{"event_id": f"up-{name}", "type": "signed_up", "contact": {"email": at(name)}} for name in names]
        base = page.url.partition("/admin/")[0]
        headers = {"Authorization": f"Bearer {key}"}
        answer = page.request.post(f"{base}/api/v1/events", data={"events": events}, headers=headers)
        assert answer.status == 202 and answer.json()["accepted"] == len(names), answer.text()

    return post


def at(name: str) -> str:
    return f"{name}@example.com"


def known(*names: str, **fields: Any) -> set[int]:
    made = Contact.objects.bulk_create([Contact(email=at(name), **fields) for name in names])
    ContactIdentity.objects.bulk_create(
        ContactIdentity(kind="email", value=each.email, contact_id=each.pk, first_seen_at=clock.now()) for each in made
    )
    return {each.pk for each in made}


def builder_of(slug: str) -> str:
    return reverse("admin:workflows_workflow_change", args=[Workflow.objects.get(slug=slug).pk])


def results_of(slug: str) -> str:
    return reverse("admin:analytics_counter_results", args=[Workflow.objects.get(slug=slug).pk])


def versions_of(slug: str) -> str:
    return reverse("admin:workflows_workflow_versions", args=[Workflow.objects.get(slug=slug).pk])


def shown(page: Any, step_key: str, name: str) -> Any:
    return page.locator(f'[id="numbers-{step_key}"] [data-n="{name}"]')


def standing(slug: str, step_key: str) -> set[int]:
    return set(
        Enrolment.objects.filter(workflow__slug=slug, step=step_key, state="waiting").values_list(
            "contact_id", flat=True
        )
    )


def names(prefix: str, count: int) -> list[str]:
    return [f"{prefix}{number}" for number in range(count)]


def test_events_are_seen_to_arrive_and_each_zone_goes_on_in_its_own_morning(browser, live_server, time, track):
    """22 and 23. Twelve people of Tokyo and eight of São Paulo, twelve hours apart."""
    journeys.publish(MORNING)
    evening = (time.now() + timedelta(days=1)).astimezone(UTC).replace(hour=20, minute=0, second=0, microsecond=0)
    time.to(evening)  # five in the morning in Tokyo, five in the afternoon in São Paulo
    tokyo, paulo = names("tokyo", 12), names("paulo", 8)
    theirs = {
        "tokyo": known(*tokyo, timezone="Asia/Tokyo"),
        "paulo": known(*paulo, timezone="America/Sao_Paulo", attributes={"plan": "pro"}),
    }
    with visiting(browser, live_server.url) as visitor, working():
        page = visitor.page
        visitor.go(builder_of("trial"))
        page.evaluate("window.same = true")
        expect(shown(page, ".trigger", "entered")).to_have_count(0)
        track(page, *tokyo, *paulo)
        expect(shown(page, ".trigger", "entered")).to_have_text("20")
        expect(shown(page, "nine", "here")).to_have_text("20")
        assert Enrolment.objects.filter(workflow__slug="trial").count() == 20
        assert standing("trial", "nine") == theirs["tokyo"] | theirs["paulo"]

        time.to(evening + timedelta(hours=4, minutes=1))  # one past nine in Tokyo
        expect(shown(page, "nine", "here")).to_have_text("8")
        expect(shown(page, "pause", "here")).to_have_text("12")
        assert (standing("trial", "nine"), standing("trial", "pause")) == (theirs["paulo"], theirs["tokyo"])
        assert not Enrolment.objects.filter(workflow__slug="trial").exclude(finished_at=None).exists()

        time.to(evening + timedelta(hours=16, minutes=1))  # one past nine in São Paulo
        expect(shown(page, "nine", "here")).to_have_text("0")
        expect(shown(page, "tag", "entered")).to_have_text("8")
        done = Enrolment.objects.filter(state="completed").values_list("contact_id", flat=True)
        assert (set(done), standing("trial", "pause")) == (theirs["paulo"], theirs["tokyo"])
        assert page.evaluate("window.same"), "the page was loaded again"


def test_the_share_of_each_path_is_what_was_counted_and_here_now_lists_those_people(browser, live_server, maya):
    """24. Five of sixteen take one path; the others wait at its neighbour."""
    journeys.publish(MORNING)
    pro, others = known(*names("pro", 5), attributes={"plan": "pro"}), known(*names("other", 11))
    journeys.track([*pro, *others], "signed_up")
    journeys.run()
    journeys.wake_all()
    journeys.run()
    counters.fold()
    taken = {port: JournalEntry.objects.filter(step="plan", port=port).count() for port in ("yes", "else")}
    assert taken == {"yes": 5, "else": 11}
    with visiting(browser, live_server.url) as visitor:
        page = visitor.page
        visitor.go(results_of("trial"))
        for port, count in taken.items():
            expect(page.locator(f'[id="share-plan-{port}"]')).to_have_text(f"{100 * count / 16:.0f}%")
        expect(shown(page, "pause", "here")).to_have_text("11")
        page.locator('[id="numbers-pause"]').get_by_role("link", name="11 here now").click()
        expect(page.locator("#result_list tbody tr")).to_have_count(11)
        listed = page.locator("#result_list tbody th a").all_inner_texts()
        assert {text.splitlines()[0].strip() for text in listed} == {at(name) for name in names("other", 11)}


def test_who_is_under_way_finishes_version_one_while_others_enter_version_two(browser, live_server, time, track):
    """25. The draft is changed in the panel and published in the dialog, with a worker beside it."""
    for slug in ("first", "second"):
        journeys.template(slug)
    journeys.publish(MAILING)
    with visiting(browser, live_server.url) as visitor, working():
        page = visitor.page
        visitor.go(builder_of("mailing"))
        track(page, "ada")
        expect(shown(page, "pause", "here")).to_have_text("1")

        page.locator("#card-hello .jb-hit").click()
        page.locator("#field-config-template").select_option("second")
        page.get_by_role("button", name="Save step").click()
        expect(page.locator("#builder-bar .cl-pill")).to_have_text("Live v1, draft has changes")
        track(page, "bob")
        expect(shown(page, "pause", "here")).to_have_text("2")
        assert set(Enrolment.objects.values_list("version__number", flat=True)) == {1}

        page.get_by_role("button", name="Publish", exact=True).click()
        expect(page.locator("#builder-publishing")).to_contain_text("2 people stay on the version they entered")
        page.get_by_role("button", name="Publish v2").click()
        expect(page.locator("#builder-bar .cl-pill")).to_have_text("Live v2")
        page.get_by_role("button", name="Done").click()
        track(page, "cleo")
        expect(shown(page, "pause", "here")).to_have_text("3")
        entered = dict(Enrolment.objects.values_list("contact_id", "version__number"))
        people = dict(Contact.objects.values_list("email", "pk"))
        assert {name: entered[people[at(name)]] for name in ("ada", "bob", "cleo")} == {"ada": 1, "bob": 1, "cleo": 2}
        visitor.go(versions_of("mailing"))
        assert books(page) == {"v2": ("1", "0"), "v1": ("2", "0")}

        time.offset = timedelta(days=1, minutes=1)
        becomes(lambda: SandboxMail.objects.count(), 3, page)
        sent = dict(SandboxMail.objects.values_list("to_address", "subject"))
        assert sent == {at("ada"): "first", at("bob"): "first", at("cleo"): "second"}
        becomes(lambda: Enrolment.objects.filter(finished_at=None).count(), 0, page)
        visitor.go(versions_of("mailing"))
        assert books(page) == {"v2": ("0", "1"), "v1": ("0", "2")}
    assert set(Enrolment.objects.filter(version__number=1).values_list("state", flat=True)) == {"completed"}


def books(page: Any) -> dict[str, tuple[str, str]]:
    """How many are here now in each version, and how many are done."""
    rows = page.locator("[aria-label=Versions] tbody tr").all()
    cells = [[cell.strip() for cell in row.locator("td").all_inner_texts()] for row in rows]
    return {row[0].split()[0]: (row[4], row[5]) for row in cells}


def test_version_one_is_put_into_the_draft_and_compared_with_version_two(browser, live_server, maya):
    """26. The comparison marks the changed step on the map, and says what changed."""
    journeys.template("first")
    journeys.publish(MAILING)
    later = copy.deepcopy(MAILING)
    later["steps"]["pause"]["config"]["for"] = "P5D"
    journeys.publish(later)
    with visiting(browser, live_server.url) as visitor:
        page = visitor.page
        visitor.go(versions_of("mailing"))
        page.get_by_role("row").filter(has_text="v1").get_by_role("button", name="Restore").click()
        page.get_by_role("dialog", name="Put v1 into the draft?").get_by_role("button", name="Restore").click()
        expect(page.get_by_text("The draft says what version 1 said")).to_be_visible()
        expect(page.locator("#card-pause .jb-sentence")).to_have_text("Wait 1 day")
        expect(page.locator("#builder-bar .cl-pill")).to_have_text("Live v2, draft has changes")
        workflow = Workflow.objects.get(slug="mailing")
        assert workflow.draft == WorkflowVersion.objects.get(number=1).definition
        assert workflow.live_version is not None and workflow.live_version.number == 2
        visitor.go(versions_of("mailing"))
        page.get_by_role("row").filter(has_text="v2").get_by_role("link", name="Changes").click()
        expect(page.locator("#card-pause.jb-is-changed .jb-mark")).to_have_text("Changed")
        expect(page.locator(".jb-mark")).to_have_count(2)  # on its card, and in the list beside the map
        expect(page.get_by_role("complementary", name="What changed")).to_contain_text("5 days (was 1 day)")


def test_a_paused_journey_lets_nobody_in_and_goes_on_when_it_is_resumed(browser, live_server, time, track):
    """27. Also that whoever waits stays while it is paused, and goes on afterwards."""
    journeys.template("first")
    journeys.publish(MAILING)
    with visiting(browser, live_server.url) as visitor, working():
        page = visitor.page
        visitor.go(builder_of("mailing"))
        track(page, "ada")
        expect(shown(page, "pause", "here")).to_have_text("1")
        decide(page, "Pause")
        expect(page.locator("#builder-bar .cl-pill")).to_have_text("Paused v1")
        track(page, "bob")
        becomes(lambda: list(EntryRefusal.objects.values_list("reason", flat=True)), ["paused"], page)
        time.offset = timedelta(days=2)
        page.wait_for_timeout(500)
        assert Enrolment.objects.count() == 1 and not SandboxMail.objects.exists()
        decide(page, "Resume")
        expect(page.locator("#builder-bar .cl-pill")).to_have_text("Live v1")
        becomes(lambda: list(SandboxMail.objects.values_list("to_address", flat=True)), [at("ada")], page)
        track(page, "cleo")
        expect(shown(page, ".trigger", "entered")).to_have_text("2")
        expect(shown(page, ".trigger", "refused")).to_have_text("1")


def decide(page: Any, deed: str) -> None:
    page.get_by_label("More", exact=True).click()
    page.locator("#builder-others").get_by_role("button", name=deed).click()
    page.get_by_role("dialog", name=f"{deed} this journey?").get_by_role("button", name=deed).click()


def unsubscribed(name: str) -> int:
    """A contact whose address says no to marketing."""
    (pk,) = known(name, timezone="Europe/Madrid")
    suppression.suppress(
        channel="email", address=at(name), scope="email", reason="unsubscribe", source="link", now=clock.now()
    )
    return pk


def test_somebody_unsubscribed_goes_through_and_is_counted_as_skipped(browser, live_server, maya):
    """29. On the card of the step, and on the person's timeline."""
    journeys.template("first")
    journeys.publish(MAILING)
    journeys.track([unsubscribed("ada"), *known("bob")], "signed_up")
    journeys.run()
    journeys.wake_all()
    journeys.run()
    making.deliver("urgent")
    counters.fold()
    assert list(SandboxMail.objects.values_list("to_address", flat=True)) == [at("bob")]
    with visiting(browser, live_server.url) as visitor:
        page = visitor.page
        visitor.go(results_of("mailing"))
        expect(shown(page, "hello", "skipped")).to_have_text("1")
        expect(shown(page, "hello", "sent")).to_have_text("1")
        expect(page.locator('#results-head [data-n="completed"]')).to_have_text("2")
        page.locator("#card-hello .jb-name").click()
        expect(page.locator("#builder-panel")).to_contain_text("nsubscribed")
        visitor.go(reverse("admin:contacts_contact_change", args=[Contact.objects.get(email=at("ada")).pk]))
        entry = page.locator("#timeline li").filter(has_text="Hello").filter(has_text="unsubscribed")
        expect(entry.first).to_be_visible()
