"""All that a page about a workflow shows, in one statement."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import transaction

from analytics.counting import counters, overview, overview_rows, reconcile
from analytics.counting.counted import Delta
from contacts import clock
from delivery import ledger
from delivery.ledger import Entry
from delivery.models import Message, OutboxEntry
from tests import journeys
from tests.analytics.counting.conftest import document

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_overview_costs_one_statement_folded_or_not(split, django_assert_num_queries):
    before = overview.read(split.pk)
    while counters.fold(3):
        pass
    with django_assert_num_queries(1):
        assert overview.read(split.pk) == before


def test_it_reads_the_same_in_whatever_order_the_rows_come(split, monkeypatch):
    """A page asks again with the tag of what it shows; the database may answer by another plan."""
    first = repr(overview.read(split.pk))
    rows = overview_rows.read

    def reversed_rows(*args, **kwargs):
        found = rows(*args, **kwargs)
        return overview_rows.Rows(list, {source: each[::-1] for source, each in found.items()})

    monkeypatch.setattr(overview_rows, "read", reversed_rows)
    assert repr(overview.read(split.pk)) == first


def test_it_says_of_everybody_where_they_are_and_how_it_ended(split):
    read = overview.read(split.pk)
    assert read.fates == overview.Fates(entered=12, here_now=12)
    assert (read.pending, read.active, read.waiting) == (0, 0, 12)
    assert (read.steps["pause"].here_now, read.steps["pause"].waiting) == (12, 12)
    assert sum(read.steps["split"].left.values()) == 12
    journeys.wake_all()
    journeys.run()
    read = overview.read(split.pk)
    assert read.fates == overview.Fates(entered=12, here_now=0, completed=12)
    assert read.steps["won"].reached == 12
    assert [(each.variant, each.fates.entered) for each in read.variants] == [
        (each.variant, each.fates.completed) for each in read.variants
    ]
    assert sum(each.fates.entered for each in read.variants) == 12


def test_what_was_sent_is_accepted_rejected_or_in_doubt(split):
    welcome = list(Message.objects.filter(step="welcome").order_by("pk"))
    now = clock.now()
    OutboxEntry.objects.filter(message__in=welcome[:1]).update(
        state="sending", lease_until=now, address_id=1, attempt=1
    )
    with transaction.atomic():
        ledger.doubt([Entry(welcome[0].pk, "in_doubt")], now=now)
        ledger.close([Entry(m.pk, "accepted") for m in welcome[1:6]], now=now)
        ledger.close([Entry(welcome[6].pk, "rejected"), Entry(welcome[7].pk, "undetermined")], now=now)
        ledger.close([Entry(welcome[8].pk, "suppressed", reason="unsubscribe")], now=now)
        ledger.close([Entry(m.pk, "capped", reason="frequency_cap") for m in welcome[9:11]], now=now)
    read = overview.read(split.pk)
    post = read.steps["welcome"].post
    assert (post.wanted, post.sent, post.accepted, post.rejected, post.in_doubt) == (12, 8, 5, 1, 2)
    assert list(post.skipped.items()) == [("capped:frequency_cap", 2), ("suppressed:unsubscribe", 1)]
    assert read.steps["welcome"].templates == {"welcome": post} == {"welcome": read.templates["welcome"]}
    assert read.post.sent == 8 and read.post.wanted == Message.objects.count()
    with transaction.atomic():
        reconcile.check([split.pk], now=now)
    read = overview.read(split.pk)
    assert read.checked_at == now and read.wrong == 0
    assert [(book.name, book.left, book.right, book.balanced) for book in read.books] == [
        ("people", 12, 12, True), ("post", 8, 8, True),
    ]  # fmt: skip


def test_days_leave_out_what_was_counted_before_and_after_and_never_who_stands_where(split):
    today = clock.now().astimezone(UTC).date()
    long_ago = datetime(2020, 2, 2, 12, tzinfo=UTC)
    version = split.live_version_id
    with transaction.atomic():
        counters.add(
            [Delta(split.pk, version, "", "entered", 5), Delta(split.pk, version, "", "exited:timed_out", 5)],
            now=long_ago,
        )
    read = overview.read(split.pk)
    assert [(day.day, day.entered, day.exited) for day in read.days] == [(date(2020, 2, 2), 5, 5), (today, 12, 0)]
    lately = overview.read(split.pk, since=today - timedelta(days=1))
    assert lately.fates.entered == 12 and lately.fates.exited == {} and len(lately.days) == 1
    then = overview.read(split.pk, until=date(2020, 2, 2))
    assert then.fates.entered == 5 and then.fates.exited == {"timed_out": 5}
    assert then.waiting == 12 and then.fates.here_now == 12
    assert read.books == lately.books == then.books


def test_a_version_alone(split):
    journeys.publish(document(won=None, pause=None, tour=None, split=None, welcome=document()["steps"]["bye"]))
    late = journeys.contact("late@example.com").pk
    journeys.track(late, "signed_up")
    journeys.run()
    split.refresh_from_db()
    second = overview.read(split.pk, version_id=split.live_version_id)
    assert second.fates == overview.Fates(entered=1, completed=1) and second.variants == ()
    assert [(each.number, each.fates.entered, each.fates.here_now) for each in second.versions] == [
        (2, 1, 0), (1, 12, 12),
    ]  # fmt: skip


def test_a_workflow_that_nobody_entered_is_all_zeros():
    read = overview.read(4711)
    assert read.fates == overview.Fates() and read.steps == {} and read.days == () and read.checked_at is None
    assert [book.balanced for book in read.books] == [True]
