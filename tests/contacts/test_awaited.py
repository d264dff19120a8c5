"""Only events that somebody awaits are queued, and none of those is missed."""

from __future__ import annotations

import threading

import pytest
from django.db import connection, transaction

from contacts import awaited, clock, events, signals
from contacts.events import OwnEvent
from contacts.models import Contact, ContactEvent
from tests.contacts.conftest import await_events, event, record

pytestmark = pytest.mark.django_db


def queued() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT e.type FROM pending_events p JOIN contact_events e"
            " ON e.id = p.event_id AND e.recorded_at = p.recorded_at ORDER BY e.id"
        )
        return [type_ for (type_,) in cursor.fetchall()]


def declare(owner: str, *types: str) -> None:
    with transaction.atomic():
        awaited.declare(owner, types)


def test_an_event_is_stored_whoever_awaits_it_and_queued_if_somebody_does(now):
    await_events("bought", "tag_added")
    record(event("ada", "looked"), event("ada", "bought"), event("ada", "Bought"), now=now, lane="bulk")
    ada = Contact.objects.get().id
    with transaction.atomic():
        events.record_own([OwnEvent(ada, "tag_added", {}, "1"), OwnEvent(ada, "tag_removed", {}, "2")], now=now)
    assert ContactEvent.objects.filter(processed=True).count() == 5
    assert queued() == ["bought", "tag_added"]


def test_the_news_says_which_events_were_queued(now):
    await_events("bought")
    heard = []

    def listen(sender, **news):
        heard.extend((each.type, each.processed, each.pending) for each in news["events"])

    signals.events_recorded.connect(listen)
    held = {"consent": {"categoryPreferences": {"tracking": False}}}
    record(event("ada", "looked"), event("ada", "bought"), event("bob", "bought", context=held), now=now)
    assert heard == [("looked", True, False), ("bought", True, True), ("bought", False, False)]


def test_a_duplicate_is_not_queued_again_and_ids_follow_the_order_of_the_batch(now):
    await_events("bought")
    first = record(*(event(f"c{n}", "bought", key=f"k{9 - n}") for n in range(0, 10, 2)), now=now)
    again = record(*(event(f"c{n}", "bought", key=f"k{9 - n}") for n in range(10)), now=now)
    assert (first.accepted, again.accepted, again.duplicates) == (5, 5, 5)
    given = [event_id for event_id in again.event_ids if event_id]
    assert given == sorted(given)
    assert len(queued()) == 10


def test_an_owner_declares_for_itself_alone():
    declare("workflow:1", "bought", "looked")
    declare("workflow:12", "bought")
    declare("workflow:1", "bought", "left")
    assert awaited.declared("workflow:") == {
        "workflow:1": frozenset({"bought", "left"}),
        "workflow:12": frozenset({"bought"}),
    }
    declare("workflow:1")
    assert awaited.declared("workflow:") == {"workflow:12": frozenset({"bought"})}


def test_a_type_is_queued_for_as_long_as_any_owner_awaits_it(now):
    declare("workflow:1", "bought")
    declare("watch:1", "bought")
    declare("workflow:1")
    record(event("ada", "bought"), now=now)
    declare("watch:1")
    record(event("bob", "bought"), now=now)
    assert queued() == ["bought"]


@pytest.mark.django_db(transaction=True)
def test_a_transaction_that_began_before_a_declaration_queues_what_it_records_after_it():
    with transaction.atomic():
        now = clock.now()  # it has begun
        in_another_thread(lambda: declare("workflow:1", "bought"))
        events.record_batch([event("ada", "bought")], source="api", now=now)
    assert queued() == ["bought"]


@pytest.mark.django_db(transaction=True)
def test_an_event_waits_for_no_declaration_that_is_under_way_and_came_before_it():
    with transaction.atomic():
        awaited.declare("workflow:1", ["bought"])
        in_another_thread(lambda: record(event("ada", "bought"), now=clock.now()))
    record(event("bob", "bought"), now=clock.now())
    assert ContactEvent.objects.count() == 2
    assert queued() == ["bought"]


@pytest.mark.django_db(transaction=True)
def test_an_owner_that_declares_anew_misses_nothing_that_it_still_awaits():
    """Types that stay are there at every moment, whatever is declared beside them."""
    declare("workflow:1", "bought", "looked")
    over = threading.Event()

    def keep_declaring() -> None:
        for number in range(60):
            declare("workflow:1", "bought", f"other-{number}")
        over.set()

    def keep_recording() -> int:
        number = 0
        while not over.is_set() or number < 20:
            record(event("ada", "bought", key=str(number)), now=clock.now())
            number += 1
        return number

    declaring = threading.Thread(target=lambda: (keep_declaring(), connection.close()))
    declaring.start()
    number = keep_recording()
    declaring.join()
    assert len(queued()) == number >= 20


def in_another_thread(work) -> None:
    """Done when this returns; a thread that had to wait for us would never be."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '5s'")
            work()
        except BaseException as failure:
            failures.append(failure)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(20)
    assert not thread.is_alive() and failures == []
