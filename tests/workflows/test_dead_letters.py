"""Failed enrolments, and the three ways out of that: again, on, or away."""

import pytest
from django.db import transaction

from analytics.counting import books
from contacts import clock, transactions
from contacts.models import ContactTag
from delivery.models import OutboxEntry
from tests import journeys
from tests.journeys import definition, step
from workflows import admission, engine, publishing
from workflows.failures import dead_letters
from workflows.failures.dead_letters import Which
from workflows.models import DeadLetter, Enrolment, JournalEntry
from workflows.steps.add_tag import AddTag

pytestmark = pytest.mark.django_db(transaction=True)

TAGS = {"one": step("add_tag", {"next": "two"}, tag="first"), "two": step("add_tag", tag="second")}


@pytest.fixture
def breaking(monkeypatch):
    """The step add_tag raises for the tags named here."""
    broken: set[str] = set()
    real = AddTag.run

    def run(self, cohort, prepared, now):
        if prepared.tag in broken:
            raise ValueError("broken")
        return real(self, cohort, prepared, now)

    monkeypatch.setattr(AddTag, "run", run)
    return broken


def fail(count: int, document: dict, breaking: set[str], tag: str = "first") -> list[int]:
    breaking.add(tag)
    journeys.publish(document)
    ids = journeys.contacts(count)
    journeys.track(ids, "signed_up")
    come_to_rest()
    breaking.clear()
    return ids


def come_to_rest() -> None:
    for _ in range(4):
        journeys.run()
        journeys.try_again_now()


def resolve(deed: str, ids: list[int] | None = None) -> dead_letters.Resolved:
    wanted = dead_letters.open_ids(Which()) if ids is None else ids
    return transactions.run(lambda now: dead_letters.resolve(wanted, deed=deed, by="ada", now=now))


def assert_books_balance() -> None:
    assert [book for book in books.balance() if not book.balanced] == []


def test_a_retry_begins_the_same_step_again_and_the_journal_goes_on(breaking):
    ids = fail(3, definition(TAGS), breaking)
    assert Enrolment.objects.filter(state="failed").count() == 3
    assert_books_balance()
    assert resolve("retry") == dead_letters.Resolved(done=3)
    assert set(Enrolment.objects.values_list("state", "attempts", "exit_reason", "finished_at")) == {
        ("active", 0, "", None)
    }
    journeys.run()
    assert journeys.path(journeys.enrolment(ids[0]).pk) == [
        ("one", "failed", ""), ("one", "advanced", "next"), ("two", "advanced", "next"),
    ]  # fmt: skip
    letter = DeadLetter.objects.first()
    assert letter is not None and (letter.state, letter.resolved_by) == ("retried", "ada")
    assert_books_balance()


def test_a_retry_that_fails_again_is_another_letter(breaking):
    (contact_id,) = fail(1, definition(TAGS), breaking)
    breaking.add("first")
    resolve("retry")
    come_to_rest()
    assert list(DeadLetter.objects.order_by("id").values_list("state", "seq")) == [("retried", 1), ("open", 2)]
    assert journeys.enrolment(contact_id).state == "failed"
    assert_books_balance()


def test_skipping_goes_on_behind_the_step_as_skip_if_would(breaking):
    (contact_id,) = fail(1, definition(TAGS), breaking)
    assert resolve("skip").done == 1
    journeys.run()
    enrolment = journeys.enrolment(contact_id)
    assert enrolment.state == "completed"
    assert journeys.path(enrolment.pk) == [
        ("one", "failed", ""), ("one", "advanced", "next"), ("two", "advanced", "next"),
    ]  # fmt: skip
    assert JournalEntry.objects.get(enrolment_id=enrolment.pk, seq=2).detail == {"skipped": "by_hand"}
    assert list(ContactTag.objects.values_list("tag__name", flat=True)) == ["second"]
    assert_books_balance()


def test_skipping_the_last_step_completes(breaking):
    (contact_id,) = fail(1, definition(TAGS), breaking, "second")
    resolve("skip")
    assert journeys.enrolment(contact_id).state == "completed"
    assert_books_balance()


def test_an_exit_says_failed_and_cancels_what_is_still_queued(breaking):
    journeys.template("welcome")
    steps = {"mail": step("send_email", {"next": "one"}, template="welcome"), **TAGS}
    (contact_id,) = fail(1, definition(steps), breaking)
    assert OutboxEntry.objects.count() == 1
    assert resolve("exit").done == 1
    enrolment = journeys.enrolment(contact_id)
    assert (enrolment.state, enrolment.exit_reason) == ("exited", "failed")
    assert journeys.path(enrolment.pk)[-1] == ("one", "left", "")
    assert not OutboxEntry.objects.exists()
    assert_books_balance()


@pytest.mark.parametrize("deed", ["retry", "skip"])
def test_whoever_entered_again_meanwhile_is_refused_and_may_only_leave(breaking, deed):
    again = definition(TAGS, entry={"trigger": {"type": "event", "event": "signed_up"},
                                    "re_entry": {"policy": "every_time"}})  # fmt: skip
    (contact_id,) = fail(1, again, breaking)
    journeys.track(contact_id, "signed_up", key="again")
    from workflows import intake

    while intake.match_batch(lane="urgent"):
        pass
    assert resolve(deed) == dead_letters.Resolved(refused={"already_under_way": 1})
    assert DeadLetter.objects.get().state == "open"
    assert resolve("exit").done == 1
    journeys.run()
    assert_books_balance()


def test_of_two_failures_of_one_contact_only_one_is_tried_again(breaking):
    again = definition(TAGS, entry={"trigger": {"type": "event", "event": "signed_up"},
                                    "re_entry": {"policy": "every_time"}})  # fmt: skip
    (contact_id,) = fail(1, again, breaking)
    breaking.add("first")
    journeys.track(contact_id, "signed_up", key="again")
    come_to_rest()
    breaking.clear()
    assert resolve("retry") == dead_letters.Resolved(done=1, refused={"already_under_way": 1})


def test_a_letter_is_resolved_once(breaking):
    fail(1, definition(TAGS), breaking)
    ids = dead_letters.open_ids(Which())
    assert resolve("retry", ids).done == 1
    assert resolve("exit", ids) == dead_letters.Resolved(refused={"resolved_before": 1})


def test_nobody_goes_on_in_an_archived_workflow(breaking):
    fail(1, definition(TAGS), breaking)
    publishing.archive(slug="journey", now=clock.now())
    assert resolve("retry").refused == {"workflow_archived": 1}
    assert resolve("exit").done == 1
    assert_books_balance()


def test_nobody_goes_on_whose_data_may_not_be_worked_with(breaking):
    from contacts.privacy import restricting

    (contact_id,) = fail(1, definition(TAGS), breaking)
    with transaction.atomic():
        restricting.restrict(contact_id, actor="ada", source="admin", now=clock.now())
    assert resolve("retry").refused == {"not_allowed": 1}


@pytest.mark.parametrize("deed", ["retry", "skip"])
def test_a_capped_one_asks_for_a_place_before_it_goes_on(breaking, deed):
    capped = definition(TAGS, settings={"concurrency_cap": 1})
    ids = fail(3, capped, breaking)
    assert Enrolment.objects.filter(state="failed").count() == 3
    resolve(deed)
    assert not Enrolment.objects.filter(state="active").exists()
    assert not engine.advance_batch(lane="urgent")
    admission.admit_batch(lane="urgent")
    assert Enrolment.objects.filter(state="active").count() == 1
    journeys.run()
    assert {journeys.enrolment(one).state for one in ids} == {"completed"}
    assert_books_balance()


def test_a_wait_that_failed_goes_on_with_the_same_wait(breaking, monkeypatch):
    from workflows.steps.wait import Wait

    journeys.publish(definition({"rest": step("wait", {"next": "one"}, mode="duration", **{"for": "PT1H"}), **TAGS}))
    contact = journeys.contact()
    journeys.track(contact.pk, "signed_up")
    journeys.run()
    with monkeypatch.context() as patch:
        patch.setattr(Wait, "run", lambda self, cohort, prepared, now: 1 / 0)
        journeys.wake_all()
        come_to_rest()
    assert journeys.enrolment(contact.pk).state == "failed"
    resolve("retry")
    journeys.run()
    assert journeys.path(journeys.enrolment(contact.pk).pk)[:3] == [
        ("rest", "waiting", ""), ("rest", "failed", ""), ("rest", "advanced", "next"),
    ]  # fmt: skip
    assert_books_balance()


def test_hundreds_are_met_once_each_also_those_that_are_refused(breaking, monkeypatch):
    monkeypatch.setattr(dead_letters, "AT_ONCE", 7)
    monkeypatch.setattr(dead_letters.open_ids, "__kwdefaults__", {"after": 0, "limit": 7})
    fail(20, definition(TAGS), breaking)
    slices = list(dead_letters.slices(Which(step="one", category="permanent")))
    assert [len(each) for each in slices] == [7, 7, 6]
    assert list(dead_letters.slices(Which(step="two"))) == []
    assert dead_letters.count_open(Which()) == 20
