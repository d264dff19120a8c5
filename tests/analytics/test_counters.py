"""Counters: in the transaction of the work, folded without loss, equal to a recount."""

import random
import threading
from datetime import UTC, datetime

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from analytics.counting import books, counters, rebuild
from analytics.counting.counted import Delta
from analytics.models import Counter, CounterDelta
from contacts import clock
from delivery.models import Feedback, Message
from delivery.signals import FeedbackNote, MessageOutcome, feedback_recorded, messages_decided
from tests import journeys
from workflows import engine, intake
from workflows.signals import Moved, enrolments_moved

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 3, 4, 23, 30, tzinfo=UTC)


def fold_all(limit=10_000):
    while counters.fold(limit):
        pass


def test_the_totals_say_where_everybody_is(lived):
    total = counters.totals(lived.pk)
    assert total["entered"] == 6 and total["refused"] == {"re_entry": 3}
    assert total["enrolments"] == {
        "pending": 0,
        "active": 0,
        "waiting": 4,
        "completed": 2,
        "exited": {},
        "failed": 0,
    }
    assert total["steps"]["welcome"] == {
        "entered": 6,
        "here_now": 0,
        "waiting": 0,
        "left": {"next": 6},
        "queued": 6,
    }
    assert total["steps"]["vip"]["left"] == {"yes": 2, "else": 4}
    assert total["steps"]["pause"] == {"entered": 4, "here_now": 4, "waiting": 4}


def test_a_waker_is_counted_once_at_its_step(lived):
    journeys.wake_all()
    journeys.run()
    total = counters.totals(lived.pk)
    assert total["steps"]["pause"]["entered"] == 4 and total["steps"]["pause"]["left"] == {"next": 4}
    assert total["enrolments"]["completed"] == 6


def test_totals_do_not_change_by_folding_and_cost_one_statement(lived, django_assert_num_queries):
    before = counters.totals(lived.pk)
    fold_all(limit=2)
    assert CounterDelta.objects.count() == 0 and Counter.objects.exists()
    with django_assert_num_queries(1):
        assert counters.totals(lived.pk) == before


def test_totals_of_one_version_are_its_own(lived):
    version = lived.live_version_id
    assert counters.totals(lived.pk, version_id=version)["entered"] == 6
    assert counters.totals(lived.pk, version_id=version + 1)["entered"] == 0


def test_what_is_rolled_back_is_not_counted():
    with pytest.raises(RuntimeError), transaction.atomic():
        enrolments_moved.send(sender=None, deltas=(Moved(1, 1, "", "entered", 5),), now=NOW)
        raise RuntimeError
    assert not CounterDelta.objects.exists()


@pytest.mark.parametrize("size", [1, 50])
def test_a_batch_of_any_size_is_counted_in_one_statement(size):
    outcomes = tuple(
        MessageOutcome(n, n, 1, 1, f"step{n % 5}", "suppressed", ("unsubscribe", "hard_bounce")[n % 2])
        for n in range(size)
    )
    with CaptureQueriesContext(connection) as queries, transaction.atomic():
        messages_decided.send(sender=None, outcomes=outcomes, now=NOW)
    assert sum("counter_deltas" in query["sql"] for query in queries) == 1
    assert sum(CounterDelta.objects.values_list("amount", flat=True)) == size


def test_skips_keep_their_reasons_and_messages_of_nobody_count_too():
    outcomes = (
        MessageOutcome(1, 1, None, None, "", "accepted"),
        MessageOutcome(2, 1, 7, 8, "mail", "capped", "frequency_cap"),
        MessageOutcome(3, 1, 7, 8, "mail", "capped", "frequency_cap"),
        MessageOutcome(4, 1, 7, 8, "mail", "suppressed", "unsubscribe"),
    )
    messages_decided.send(sender=None, outcomes=outcomes, now=NOW)
    assert counters.totals(7)["steps"]["mail"] == {
        "entered": 0,
        "here_now": 0,
        "waiting": 0,
        "capped": {"frequency_cap": 2},
        "suppressed": {"unsubscribe": 1},
    }
    assert list(CounterDelta.objects.filter(workflow_id=0).values_list("metric", "amount")) == [("accepted", 1)]


def test_people_and_machines_are_counted_apart_and_each_message_once():
    def note(message, kind, is_machine, first):
        return FeedbackNote(message, 1, 7, 8, "mail", kind, is_machine, first)

    notes = (
        note(1, "opened", False, True),
        note(1, "opened", False, False),
        note(2, "opened", False, True),
        note(2, "opened", True, True),
        note(3, "rejected", False, True),
    )
    feedback_recorded.send(sender=None, feedback=notes, now=NOW)
    mail = counters.totals(7)["steps"]["mail"]
    assert (mail["opened"], mail["opened_total"], mail["opened_by_machines"]) == (2, 3, 1)
    assert mail["dropped"] == 1 and "rejected" not in mail


def test_a_day_is_a_day_of_utc():
    counters.add([Delta(1, 1, "", "entered", 1)], now=NOW.astimezone(UTC))
    assert CounterDelta.objects.get().day.isoformat() == "2026-03-04"


def test_many_folders_and_counters_at_once_lose_nothing():
    rounds, keys = 40, 6
    failures = []

    def run(deed):
        try:
            deed()
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    def count(seed):
        order = random.Random(seed)
        for _ in range(rounds):
            deltas = [Delta(1, 1, f"step{key}", "entered", 1) for key in range(keys)]
            order.shuffle(deltas)
            with transaction.atomic():
                counters.add(deltas, now=NOW)

    def fold():
        for _ in range(rounds * 2):
            counters.fold(7)

    deeds = [lambda seed=seed: count(seed) for seed in range(3)] + [fold] * 3
    threads = [threading.Thread(target=run, args=[deed]) for deed in deeds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    fold_all()
    assert list(Counter.objects.order_by("step").values_list("step", "amount")) == [
        (f"step{key}", 3 * rounds) for key in range(keys)
    ]
    rebuild.replace()  # there are no facts of these, as the recount after every race would find


# -- the recount -------------------------------------------------------------------------------------------------------


def tell_of_feedback(lived):
    """Feedback rows and their news, as the fold of webhooks writes them."""
    now, notes, rows = clock.now(), [], []
    for position, message in enumerate(Message.objects.order_by("id")):
        for kind, is_machine in [("delivered", False), ("opened", True), ("opened", False), ("opened", False)]:
            first = not any(note.message_id == message.pk and (note.kind, note.is_machine) == (kind, is_machine)
                            for note in notes)  # fmt: skip
            notes.append(
                FeedbackNote(message.pk, message.contact_id, message.workflow_id, message.version_id, message.step,
                             kind, is_machine, first, message.template_version_id)
            )  # fmt: skip
            rows.append(
                Feedback(message_id=message.pk, kind=kind, is_machine=is_machine, occurred_at=now, recorded_at=now,
                         provider="sandbox", dedup_hash=f"{position} {len(rows)}".encode())
            )  # fmt: skip
    with transaction.atomic():
        Feedback.objects.bulk_create(rows)
        feedback_recorded.send(sender=None, feedback=tuple(notes), now=now)


def test_the_counters_equal_a_recount(lived):
    tell_of_feedback(lived)
    for _ in range(2):
        found = rebuild.compare()
        assert found.differences == () and found.counted == found.facts > 60
        journeys.wake_all()
        journeys.run()
        fold_all()


def test_a_wrong_counter_is_named_and_replaced(lived, capsys):
    fold_all()
    Counter.objects.filter(step="", metric="entered").update(amount=7)
    Counter.objects.filter(step="vip", metric="left:yes").delete()
    Counter.objects.create(
        workflow_id=lived.pk, version_id=lived.live_version_id, step="gone", metric="entered", day=NOW, amount=1
    )
    wrong = {(one.step, one.metric): (one.counted, one.facts) for one in rebuild.compare().differences}
    assert wrong == {("", "entered"): (7, 6), ("vip", "left:yes"): (0, 2), ("gone", "entered"): (1, 0)}
    with pytest.raises(SystemExit):
        call_command("rebuild_counters", check=True)
    today = clock.now().date().isoformat()
    version = f"of {today} in version {lived.live_version_id}"
    assert f"journey vip left:yes {version}: counted 0, the facts say 2" in capsys.readouterr().out
    call_command("rebuild_counters")
    assert rebuild.compare().differences == ()
    call_command("rebuild_counters", check=True)


def test_a_recount_swallows_what_is_not_folded_yet(lived):
    assert CounterDelta.objects.exists()
    rebuild.replace()
    assert not CounterDelta.objects.exists()
    assert counters.totals(lived.pk)["entered"] == 6


def test_work_that_commits_during_a_recount_is_counted_once(lived):
    """Rebuilding waits for nobody who works: their deltas come after it, or are part of it."""
    journeys.track(journeys.contact("late@example.com").pk, "signed_up")
    assert intake.match_batch(lane="urgent")
    advanced, rebuilt = threading.Event(), threading.Event()
    done = []

    def work():
        try:
            with transaction.atomic():
                done.append(engine.advance_batch(lane="urgent"))
                advanced.set()
                rebuilt.wait(10)
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    advanced.wait(10)
    rebuild.replace()
    assert counters.totals(lived.pk)["steps"]["welcome"]["entered"] == 6
    rebuilt.set()
    thread.join()
    fold_all()
    assert done == [True]
    assert rebuild.compare().differences == ()
    assert counters.totals(lived.pk)["steps"]["welcome"]["entered"] == 7


# -- the books ---------------------------------------------------------------------------------------------------------


def unbalanced():
    return [book.name for book in books.balance() if not book.balanced]


def test_the_books_balance(lived):
    assert [book.name for book in books.balance()] == ["journey journey", "post journey", "messages", "counters"]
    assert unbalanced() == []


def test_a_lost_enrolment_is_caught(lived):
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM workflow_enrolments WHERE id = (SELECT max(id) FROM workflow_enrolments)")
    assert "journey journey" in unbalanced()


def test_a_lost_message_is_caught(lived):
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM outbox WHERE message_id = (SELECT max(message_id) FROM outbox)")
    assert unbalanced() == ["post journey", "messages"]


def test_a_message_with_two_ends_is_caught(lived):
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO contact_send_log (message_id, contact_id, channel, workflow_id, kind, at) "
            "SELECT id, contact_id, channel, workflow_id, 'accepted', now() FROM messages ORDER BY id LIMIT 1"
        )
    assert "messages" in unbalanced()


def test_a_lost_delta_is_caught_and_named(lived):
    CounterDelta.objects.filter(step="vip", metric="left:else").delete()
    today = clock.now().date().isoformat()
    assert unbalanced() == [f"counter journey vip left:else of {today} in version {lived.live_version_id}"]


def test_a_glance_is_kept_for_a_while(lived):
    assert books.glance() == []
    CounterDelta.objects.filter(step="", metric="entered").delete()
    assert books.glance() == [] and [book.name for book in books.unbalanced()] == ["journey journey"]
