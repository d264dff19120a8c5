"""How an entrance runs its work, and how a batch survives a row that PostgreSQL refuses."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import IntegrityError, OperationalError, connection, transaction

from contacts import halving, transactions
from contacts.models import Contact, Tag


@pytest.mark.django_db(transaction=True)
def test_the_clock_is_the_transactions_and_the_work_is_committed():
    def work(now):
        with connection.cursor() as cursor:
            cursor.execute("SELECT now()")
            assert cursor.fetchone()[0] == now
        return Contact.objects.create(created_at=now - timedelta(days=1)).id

    contact_id = transactions.run(work)
    assert not connection.in_atomic_block
    assert Contact.objects.filter(id=contact_id).exists()


@pytest.mark.django_db(transaction=True)
def test_work_that_met_a_lock_starts_again_from_the_beginning():
    contact = Contact.objects.create()
    locked, release = threading.Event(), threading.Event()
    attempts = []

    def hold():
        with transaction.atomic():
            Contact.objects.select_for_update().get(id=contact.id)
            locked.set()
            release.wait(10)
        connection.close()

    def work(now):
        attempts.append(now)
        if len(attempts) == 2:
            release.set()
            holder.join()
        Tag.objects.create(name=f"attempt {len(attempts)}")
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '50ms'")
        return Contact.objects.select_for_update().get(id=contact.id)

    holder = threading.Thread(target=hold)
    holder.start()
    locked.wait(10)
    assert transactions.run(work) == contact
    assert len(set(attempts)) == 2
    assert list(Tag.objects.values_list("name", flat=True)) == ["attempt 2"]


@pytest.mark.django_db(transaction=True)
def test_work_that_is_wrong_is_not_repeated():
    attempts = []

    def work(now):
        attempts.append(now)
        Tag.objects.create(name="x")
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 1; SELECT pg_sleep(1)")

    with pytest.raises(OperationalError):
        transactions.run(work)
    assert len(attempts) == 1
    assert not Tag.objects.exists()


def small_numbers(written):
    """A writer of numbers that PostgreSQL refuses beyond its smallint."""

    def write(batch):
        with connection.cursor() as cursor:
            cursor.execute("SELECT n::smallint FROM unnest(%s::int[]) AS n", [list(batch)])
        written.append(list(batch))

    return write


@pytest.mark.django_db
@pytest.mark.parametrize("culprits", [(), (0,), (9,), (3, 4), tuple(range(10))])
def test_only_the_culprits_are_refused(culprits):
    batch = [100_000 + n if n in culprits else n for n in range(10)]
    written, refused = [], []
    halving.store(batch, small_numbers(written), refused.append)
    assert refused == [batch[n] for n in culprits]
    assert sorted(n for batch in written for n in batch) == [n for n in range(10) if n not in culprits]


@pytest.mark.django_db
def test_a_clean_batch_is_written_once():
    written = []
    halving.store(list(range(1000)), small_numbers(written), pytest.fail)
    assert len(written) == 1


@pytest.mark.django_db
def test_errors_that_are_not_about_the_data_pass():
    Tag.objects.create(name="x")
    with pytest.raises(IntegrityError), transaction.atomic():
        halving.store([1, 2], lambda _: Tag.objects.create(name="x"), pytest.fail)
