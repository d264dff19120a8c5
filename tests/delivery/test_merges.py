"""Messages of contacts who were merged: they are the survivor's, with the survivor's consent, cap and address."""

from __future__ import annotations

import pytest
from django.db import connection, transaction

from contacts import clock, consent
from contacts.consent import Consent
from delivery import caps
from delivery.models import OutboxEntry, SendLogEntry
from tests.contacts.merging.conftest import merge, undo
from tests.delivery import making

pytestmark = pytest.mark.django_db(transaction=True)


def two() -> tuple[int, int]:
    return making.contact("ada@example.com").pk, making.contact("ada@work.example").pk


def test_what_is_queued_goes_to_the_survivors_address():
    ada, other = two()
    message = making.message(other)
    merge(ada, other)
    making.deliver()
    (mail,) = making.mails(message)
    assert mail.to_address == "ada@example.com"
    assert SendLogEntry.objects.filter(kind="accepted").get().contact_id == ada


def test_the_cap_counts_what_both_were_sent_and_undoing_parts_the_counts():
    ada, other = two()
    making.message(other)
    making.deliver()
    merge_id = merge(ada, other)
    assert caps.count([ada, other], now=clock.now()) == {ada: caps.Sent(1, 1)}
    capped = making.message(ada)
    making.deliver()
    assert making.state(capped) == "capped:frequency_cap"
    undo(merge_id)
    assert caps.count([ada, other], now=clock.now()) == {other: caps.Sent(1, 1)}


def test_a_message_that_came_late_for_the_absorbed_contact_is_judged_as_the_survivors():
    ada, other = two()
    merge(ada, other)
    with transaction.atomic():
        consent.record([Consent(ada, "marketing", "denied")], source="api", now=clock.now())
    message = making.message(other)
    assert OutboxEntry.objects.get().contact_id == other
    making.deliver()
    assert making.state(message) == "suppressed:consent"
    assert not making.mails(message)
    assert SendLogEntry.objects.get(kind="suppressed").contact_id == ada


def test_a_refusal_for_the_absorbed_contact_is_the_survivors():
    """It was withdrawn by somebody who had found the contact before it was merged."""
    ada, other = two()
    merge(ada, other)
    with transaction.atomic():
        written = consent.record([Consent(other, "marketing", "denied")], source="api", now=clock.now())
    assert written == {ada}
    message = making.message(ada)
    making.deliver()
    assert making.state(message) == "suppressed:consent"


def test_whoever_holds_a_message_is_waited_for_before_the_contact():
    """The gate locks messages before contacts; a merge that did it the other way round would meet it in a circle."""
    ada, other = two()
    making.message(other)
    with connection.execute_wrapper(_noting(seen := [])):
        merge(ada, other)
    locks = [sql for sql in seen if "FOR UPDATE" in sql or "FOR NO KEY UPDATE" in sql]
    tables = ("outbox", "workflow_enrolments", "contacts")
    assert [next(table for table in tables if f"FROM {table}" in sql) for sql in locks[:3]] == list(tables)


def _noting(seen):
    def note(execute, sql, params, many, context):
        seen.append(" ".join(sql.split()))
        return execute(sql, params, many, context)

    return note
