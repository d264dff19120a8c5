"""What time alone changes, and the full recomputation beside it."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from contacts import events, transactions
from contacts.audiences import rebuilding, sweeping
from contacts.models import Segment, SegmentCheck, SegmentMember
from tests.contacts.audiences.keeping import PRO, check, make_live, members, people, told
from tests.contacts.conftest import event

pytestmark = pytest.mark.django_db

INACTIVE = {"not": {"event": "visited", "within": "P30D"}}


def sweep(at, **options) -> int:
    chunks = 0
    while sweeping.sweep_batch(at, **options):
        chunks += 1
    return chunks


@pytest.fixture
def visited() -> tuple[list[int], object]:
    """Five contacts, of whom the first and the last were here just now, in a live segment of the inactive."""
    contacts = people(*[{}] * 5)
    now = transactions.run(lambda now: now)
    transactions.run(
        lambda now: events.record_batch(
            [event(contacts[0], "visited"), event(contacts[4], "visited")], source="api", now=now
        )
    )
    make_live("inactive", INACTIVE)
    check()
    return contacts, now


def test_who_only_grew_older_is_found_and_told(visited):
    contacts, now = visited
    assert members("inactive") == contacts[1:4]
    assert not sweeping.due(now=now)
    later = now + timedelta(days=31)
    assert sweeping.due(now=later)
    assert sweep(later, chunk=2) == 4  # three with contacts, one that finds the end
    assert not sweeping.due(now=later)
    assert members("inactive") == contacts[1:4]  # found, and queued
    check(now=later)
    assert members("inactive") == contacts
    assert told() == [(contacts[0], "entered", "inactive"), (contacts[4], "entered", "inactive")]


def test_a_look_begins_five_minutes_after_the_last_one_began_and_goes_on_where_it_was(visited):
    contacts, now = visited
    begin = now + timedelta(minutes=6)
    assert sweeping.sweep_batch(begin, chunk=2)
    segment = Segment.objects.get()
    assert (segment.swept_to, segment.swept_at) == (contacts[1], begin)
    assert sweeping.due(now=begin)
    assert sweep(begin + timedelta(minutes=1), chunk=2) == 3
    assert Segment.objects.get().swept_at == begin
    assert not sweeping.due(now=begin + timedelta(minutes=4))
    assert sweeping.due(now=begin + timedelta(minutes=5))


def test_under_a_faster_clock_looks_come_as_much_sooner(visited, settings):
    _, now = visited
    settings.TIME_SPEED = 60.0
    assert not sweeping.due(now=now + timedelta(seconds=4))
    assert sweeping.due(now=now + timedelta(seconds=6))


def test_segments_that_time_does_not_move_are_not_swept(visited):
    make_live("pro")
    later = visited[1] + timedelta(days=31)
    sweep(later)
    assert Segment.objects.get(slug="pro").swept_at < later


def rebuild(*options: str) -> str:
    out = StringIO()
    call_command("rebuild_segments", *options, stdout=out, stderr=StringIO())
    return out.getvalue()


def test_a_rebuild_agrees_with_what_was_kept():
    people({"plan": "pro"}, {}, {"plan": "pro"})
    make_live("pro")
    assert rebuild("--check") == "no membership was wrong\n"


def test_a_wrong_membership_is_found_and_put_right_and_told():
    ada, bob, _ = people({"plan": "pro"}, {}, {})
    make_live("pro")
    SegmentMember.objects.all().delete()
    SegmentMember.objects.create(segment=Segment.objects.get(), contact_id=bob, entered_at="2026-01-01T00:00Z")
    with pytest.raises(CommandError, match="2 memberships are wrong"):
        rebuild("--check")
    assert members("pro") == [bob]
    assert "pro: 2 wrong, 0 moved by time alone" in rebuild()
    assert members("pro") == [ada]
    assert told() == [(bob, "left", "pro"), (ada, "entered", "pro")]
    assert rebuild("--check") == "no membership was wrong\n"


def test_what_waits_in_the_queue_is_not_wrong():
    make_live("pro")
    (ada,) = people({"plan": "pro"})
    SegmentCheck.objects.create(contact_id=ada, about="created", lane="bulk", due_at="2026-01-01T00:00Z")
    assert rebuild("--check") == "no membership was wrong\n"


def test_what_time_moved_since_the_last_look_is_late_and_not_wrong(visited):
    contacts, now = visited
    upto, differences = rebuilding.rebuild_chunk(after=0, now=now + timedelta(days=31), repair=False)
    assert upto == contacts[4]
    assert (differences.wrong, differences.late) == ({}, {"inactive": 2})


def test_segments_that_are_being_filled_are_left_out():
    people({"plan": "pro"})
    make_live("pro")
    Segment.objects.update(state="building")
    assert "1 segments are being filled" in rebuild("--check")


def test_a_rebuild_goes_chunk_by_chunk(monkeypatch):
    contacts = people(*[{"plan": "pro"}] * 5)
    make_live("pro", PRO)
    after, seen = 0, []
    while after is not None:
        after, _ = transactions.run(
            lambda now, after=after: rebuilding.rebuild_chunk(after=after, now=now, repair=True, size=2)
        )
        seen.append(after)
    assert seen == [contacts[1], contacts[3], contacts[4], None]
