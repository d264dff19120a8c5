"""What becomes of an enrolment whose step raises, and of everybody else in its batch."""

import pytest
from django.db import DataError, IntegrityError, connection
from django.test.utils import CaptureQueriesContext

from contacts.models import ContactTag
from tests import journeys
from tests.journeys import definition, step
from workflows import engine, intake
from workflows.failures import failing
from workflows.models import DeadLetter, Enrolment, JournalEntry
from workflows.steps.add_tag import AddTag, Tagging
from workflows.steps.base import TryLater

pytestmark = pytest.mark.django_db(transaction=True)

TAGS = {"one": step("add_tag", {"next": "two"}, tag="first"), "two": step("add_tag", tag="second")}


def enter(count: int, document: dict) -> list[int]:
    journeys.publish(document)
    ids = journeys.contacts(count)
    journeys.track(ids, "signed_up")
    while intake.match_batch(lane="urgent"):
        pass
    return ids


@pytest.fixture
def stumbling(monkeypatch):
    """Say who makes the step add_tag raise what, and how often."""

    def arrange(ids: list[int], error: Exception, *, times: int = 1_000_000) -> None:
        real = AddTag.run
        left = {"times": times}

        def stumble(self, cohort, prepared, now):
            guilty = any(member.contact_id in ids for member in cohort.members)
            if guilty and len(cohort.members) == 1:
                left["times"] -= 1
            if guilty and left["times"] >= 0:
                raise error
            return real(self, cohort, prepared, now)

        monkeypatch.setattr(AddTag, "run", stumble)

    return arrange


def try_until_given_up() -> None:
    for _ in range(10):
        journeys.run()
        journeys.try_again_now()


def test_one_enrolment_that_cannot_go_on_fails_alone_and_says_no_word_of_its_data(stumbling, caplog):
    ids = enter(5, definition(TAGS))
    stumbling([ids[2]], RuntimeError("a payload with personal data in its message"))
    try_until_given_up()
    failed = journeys.enrolment(ids[2])
    assert (failed.state, failed.exit_reason, failed.attempts) == ("failed", "failed", 2)
    assert Enrolment.objects.filter(state="completed").count() == 4
    entry = JournalEntry.objects.get(enrolment_id=failed.pk)
    assert (entry.outcome, entry.detail) == (
        "failed", {"error": "RuntimeError", "category": "permanent", "tries": 2},
    )  # fmt: skip
    letter = DeadLetter.objects.get()
    assert (letter.enrolment_id, letter.step, letter.seq, letter.category, letter.error, letter.state) == (
        failed.pk, "one", 1, "permanent", "RuntimeError", "open",
    )  # fmt: skip
    assert "workflows/engine.py" in letter.trace and "builtins.RuntimeError" in letter.trace
    assert "personal" not in letter.trace + caplog.text


def test_what_may_pass_is_tried_five_times_with_growing_pauses(stumbling, monkeypatch):
    monkeypatch.setattr("random.uniform", lambda low, high: 1.0)
    (contact_id,) = enter(1, definition(TAGS))
    stumbling([contact_id], ConnectionRefusedError("a host"))
    pauses = []
    for tries in range(1, 5):
        assert engine.advance_batch(lane="urgent")
        there = journeys.enrolment(contact_id)
        assert (there.state, there.attempts) == ("active", tries)
        assert not engine.advance_batch(lane="urgent"), "it is not due before its pause is over"
        with connection.cursor() as cursor:
            cursor.execute("SELECT round(extract(epoch FROM wake_at - now())) FROM workflow_enrolments")
            pauses.append(int(cursor.fetchone()[0]))
        journeys.try_again_now()
    assert pauses == [1, 7, 49, 300]
    assert engine.advance_batch(lane="urgent")
    assert journeys.enrolment(contact_id).state == "failed"
    assert DeadLetter.objects.get().attempts == 5


def test_a_step_that_works_at_the_third_try_leaves_no_dead_letter_and_begins_the_next_step_anew(stumbling):
    (contact_id,) = enter(1, definition(TAGS))
    stumbling([contact_id], TryLater(), times=2)
    try_until_given_up()
    done = journeys.enrolment(contact_id)
    assert (done.state, done.attempts) == ("completed", 0)
    assert journeys.path(done.pk) == [("one", "advanced", "next"), ("two", "advanced", "next")]
    assert not DeadLetter.objects.exists()


@pytest.mark.parametrize(
    ("error", "category"),
    [
        (TimeoutError(), "transient"), (ConnectionResetError(), "transient"), (TryLater(), "transient"),
        (LookupError(), "permanent"), (ValueError(), "permanent"), (TypeError(), "permanent"),
        (DataError(), "permanent"), (IntegrityError(), "permanent"), (RecursionError(), "permanent"),
    ],
)  # fmt: skip
def test_the_network_may_recover_and_data_does_not(error, category):
    assert failing.category_of(error) == category


def test_the_guilty_are_found_by_halving(stumbling):
    ids = enter(400, definition(TAGS))
    stumbling([ids[123]], ValueError())
    with CaptureQueriesContext(connection) as queries:
        assert engine.advance_batch(lane="urgent")
    begun = sum("workflow_enrolments e" in query["sql"] and "SKIP LOCKED" in query["sql"] for query in queries)
    assert begun < 30, "looking one by one would take 400 claims"
    assert Enrolment.objects.filter(seq=1).count() == 399
    assert journeys.enrolment(ids[123]).attempts == 1


def test_an_effect_that_raises_spoils_nobody_elses_step(monkeypatch):
    ids = enter(40, definition(TAGS))
    real = Tagging.apply.__func__

    def apply(cls, effects, now):
        real(cls, effects, now)
        if any(effect.tagging.contact_id == ids[7] for effect in effects):
            raise ValueError("nothing of this may stay")

    monkeypatch.setattr(Tagging, "apply", classmethod(apply))
    try_until_given_up()
    assert Enrolment.objects.filter(state="completed").count() == 39
    assert journeys.enrolment(ids[7]).state == "failed"
    assert not ContactTag.objects.filter(contact_id=ids[7]).exists()
    assert ContactTag.objects.count() == 78


def test_a_lost_connection_is_nobodys_fault(stumbling):
    from django.db import OperationalError

    (contact_id,) = enter(1, definition(TAGS))
    stumbling([contact_id], OperationalError("the connection is closed"))
    with pytest.raises(OperationalError):
        engine.advance_batch(lane="urgent")
    assert journeys.enrolment(contact_id).attempts == 0


def test_a_trace_names_the_cause_first_and_goes_round_no_circle():
    def inner() -> None:
        raise KeyError("a value")

    try:
        try:
            inner()
        except KeyError as error:
            raise ValueError("another value") from error
    except ValueError as error:
        error.__cause__.__cause__ = error
        trace = failing.trace_of(error)
    lines = trace.splitlines()
    assert lines[0] == "builtins.KeyError" and "builtins.ValueError" in lines
    assert any("tests/workflows/test_failing.py" in line and line.endswith(" inner") for line in lines)
    assert "value\n" not in trace and "another" not in trace
