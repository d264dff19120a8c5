"""Changes, checkers and filling at once: no event twice, and no membership that is wrong when all is quiet."""

from __future__ import annotations

import random
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator

import pytest
from django.db import connection, transaction

from contacts import events, locking, transactions, upserting
from contacts.audiences import filling, membership, segments, tags
from contacts.audiences.tags import Tagging
from contacts.events import Identifiers
from contacts.models import Segment
from contacts.upserting import Person
from tests.contacts.audiences.keeping import PRO, check, fill, make_live, members, people, told
from tests.contacts.audiences.test_time import rebuild
from tests.contacts.conftest import event, together

pytestmark = pytest.mark.django_db(transaction=True)

VIP = {"has_tag": "vip"}


def tag(contact_id: int, *, add: bool) -> None:
    deed = tags.add_tags if add else tags.remove_tags
    transactions.run(lambda now: deed([Tagging(contact_id, "vip", "api")], now=now))


def locks_and_reads_at_once(monkeypatch) -> None:
    """The mutant: one statement locks the contacts and reads the truth."""
    monkeypatch.setattr(membership, "lock_contacts", lambda contact_ids: None)
    monkeypatch.setattr(membership, "_TRUTH", membership._TRUTH + " ORDER BY c.id FOR NO KEY UPDATE OF c")


@pytest.mark.parametrize("mutant", [False, True])
def test_a_checker_that_waited_reads_what_happened_meanwhile(monkeypatch, mutant):
    if mutant:
        locks_and_reads_at_once(monkeypatch)
    make_live("vip", VIP)
    ada, bob = people({}, {})
    tag(ada, add=True)
    tag(bob, add=True)
    check()
    tag(ada, add=False)
    tag(bob, add=False)
    slow = threading.Thread(target=_check_once)
    with transaction.atomic():
        locking.lock_contacts([ada])
        slow.start()
        _wait_for_a_waiting_lock()  # it has both of them, and stands at the first
        together(lambda: tag(bob, add=True), lambda: None)
        together(_check_once, lambda: None)  # bob is a member, rightly
    slow.join()
    check()
    assert (members("vip") == [bob]) is not mutant


def _check_once() -> None:
    try:
        transactions.run(lambda now: membership.check_batch("urgent", now))
    finally:
        connection.close()


def _wait_for_a_waiting_lock() -> None:
    with connection.cursor() as cursor:
        while True:
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            if cursor.fetchone()[0]:
                return


def test_a_segment_waits_with_filling_for_those_who_did_not_see_it():
    """A change that began before the segment was there marks nobody: filling must not have passed it by."""
    (ada,) = people({})
    written, looked = threading.Event(), threading.Event()

    def change() -> None:
        with transaction.atomic():
            transactions.run(lambda now: tags.add_tags([Tagging(ada, "vip", "api")], now=now))
            written.set()
            looked.wait()

    def segment() -> None:
        written.wait()
        try:
            transactions.run(lambda now: segments.create(slug="vip", name="VIP", condition=VIP, now=now))
            assert not transactions.run(filling.fill_batch)
            assert Segment.objects.get().state == "building"
        finally:
            looked.set()

    together(change, segment)
    fill()
    assert (members("vip"), Segment.objects.get().state) == ([ada], "live")


def test_a_snapshot_from_before_holds_filling_up_as_well():
    """A SERIALIZABLE transaction reads the segments as they were when it began, whenever it writes."""
    (ada,) = people({})
    begun, looked = threading.Event(), threading.Event()

    def change() -> None:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
                cursor.execute("SELECT count(*) FROM contacts")
            begun.set()
            looked.wait()
            transactions.run(lambda now: tags.add_tags([Tagging(ada, "vip", "api")], now=now))

    def segment() -> None:
        begun.wait()
        try:
            transactions.run(lambda now: segments.create(slug="vip", name="VIP", condition=VIP, now=now))
            assert not transactions.run(filling.fill_batch)
        finally:
            looked.set()

    together(change, segment)
    fill()
    assert (members("vip"), Segment.objects.get().state) == ([ada], "live")


def test_a_storm_leaves_every_membership_right_and_every_change_told_once():
    contacts = people(*[{"plan": "free"} for _ in range(12)])
    for contact_id in contacts:
        transactions.run(
            lambda now, who=contact_id: upserting.change(who, Person({"external_id": f"c{who}"}), source="api", now=now)
        )
    make_live("pro", PRO)
    make_live("vip", VIP)
    make_live("good", {"any": [{"in_segment": "pro"}, {"in_segment": "vip"}]})
    make_live("buyers", {"event": "bought", "op": "gte", "count": 3})
    stop = threading.Event()

    def changes(seed: int) -> Callable[[], None]:
        chance = random.Random(seed)

        def run() -> None:
            for _ in range(60):
                some = chance.sample(contacts, 4)
                next(_deeds(chance, some))

        return run

    def checker(lane: str) -> None:
        while not stop.is_set():
            transactions.run(lambda now: membership.check_batch(lane, now, limit=7))

    def builder() -> None:
        transactions.run(lambda now: segments.create(slug="late", name="Late", condition=VIP, now=now))
        while Segment.objects.get(slug="late").state == "building":
            transactions.run(lambda now: filling.fill_batch(now, chunk=3))

    def quiet(*works: Callable[[], None]) -> None:
        try:
            together(*works)
        finally:
            stop.set()

    checkers = [
        threading.Thread(target=_closing(lambda lane=lane: checker(lane))) for lane in ("urgent", "urgent", "bulk")
    ]
    for thread in checkers:
        thread.start()
    quiet(changes(1), changes(2), changes(3), builder)
    for thread in checkers:
        thread.join()
    check()
    assert rebuild("--check") == "no membership was wrong\n"
    _every_change_was_told_once()


def _deeds(chance: random.Random, some: list[int]) -> Iterator[None]:
    kind, lane = chance.choice(["plan", "tag", "untag", "event"]), chance.choice(["urgent", "bulk"])
    if kind == "plan":
        people = [Person({"external_id": f"c{who}"}, {"plan": chance.choice(["pro", "free"])}) for who in some]
        yield transactions.run(lambda now: upserting.upsert(people, source="api", now=now, lane=lane)) and None
    elif kind == "event":
        happened = [event(Identifiers(external_id=f"c{who}"), "bought", key=str(chance.random())) for who in some]
        yield transactions.run(lambda now: events.record_batch(happened, source="api", now=now, lane=lane)) and None
    else:
        deed = tags.add_tags if kind == "tag" else tags.remove_tags
        rows = [Tagging(who, "vip", "api") for who in some]
        yield transactions.run(lambda now: deed(rows, now=now, lane=lane)) and None


def _closing(work: Callable[[], None]) -> Callable[[], None]:
    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    return run


def _every_change_was_told_once() -> None:
    """In, out, in, …: what was told of each contact and segment alternates, and ends as membership stands."""
    stays: dict[tuple[int, str], list[str]] = defaultdict(list)
    for contact_id, deed, slug in told():
        stays[contact_id, slug].append(deed)
    for slug in ("pro", "vip", "good", "buyers"):
        inside = set(members(slug))
        for contact_id in {who for who, what in stays if what == slug} | inside:
            deeds = stays[contact_id, slug]
            assert deeds == [("entered", "left")[n % 2] for n in range(len(deeds))], (contact_id, slug)
            assert (len(deeds) % 2 == 1) is (contact_id in inside)
