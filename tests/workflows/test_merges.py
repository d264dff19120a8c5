"""Two contacts become one while journeys are on their way."""

from __future__ import annotations

import pytest
from django.db import connection, transaction

from contacts import clock, merging
from contacts.models import ContactEvent
from delivery.models import OutboxEntry
from tests.contacts.conftest import together
from tests.contacts.merging.conftest import merge, undo
from tests.journeys import contact, definition, path, publish, run, step, template, track
from workflows import signals
from workflows.models import Enrolment

pytestmark = pytest.mark.django_db(transaction=True)  # intake begins its own transactions

WAIT = {"pause": step("wait", mode="duration", **{"for": "P1D"})}
MAIL = {
    "welcome": step("send_email", {"next": "pause"}, template="welcome"),
    "pause": step("wait", mode="duration", **{"for": "P1D"}),
}


def two() -> tuple[int, int]:
    return contact("ada@example.com").pk, contact("ada@work.example").pk


def states(contact_id: int) -> set[tuple[str, str]]:
    return set(Enrolment.objects.filter(contact_id=contact_id).values_list("state", "exit_reason"))


@pytest.fixture
def told():
    heard = []

    def hear(deltas, **_):
        heard.extend((delta.metric, delta.amount) for delta in deltas)

    signals.enrolments_moved.connect(hear)
    yield heard
    signals.enrolments_moved.disconnect(hear)


def test_the_earliest_way_through_a_workflow_goes_on_and_the_other_leaves(told):
    template("welcome")
    publish(definition(MAIL))
    ada, other = two()
    track(other, "signed_up")
    run()
    track(ada, "signed_up")
    run()
    first, second = Enrolment.objects.get(contact_id=other), Enrolment.objects.get(contact_id=ada)
    merge(ada, other)
    assert states(ada) == {("waiting", ""), ("exited", "contact_merged")}
    first.refresh_from_db()
    assert (first.contact_id, first.state) == (ada, "waiting")
    assert path(second.pk)[-1] == ("pause", "left", "")
    assert told[-2:] == [("exited:contact_merged", 1), ("waiting", -1)]
    assert list(OutboxEntry.objects.values_list("message__enrolment_id", "contact_id")) == [(first.pk, ada)]


def test_a_workflow_that_nobody_enters_twice_is_not_entered_again():
    publish(definition(WAIT))
    ada, other = two()
    track([ada, other], "signed_up")
    run()
    merge_id = merge(ada, other)
    track([ada, other], "signed_up", key="again")
    run()
    assert sorted(Enrolment.objects.values_list("contact_id", "once")) == [(ada, False), (ada, True)]
    undo(merge_id)
    assert sorted(Enrolment.objects.values_list("contact_id", "once")) == [(ada, True), (other, True)]


def test_the_finished_past_moves_and_bars_the_second_entry():
    publish(definition({"end": step("exit", {})}))
    ada, other = two()
    track(other, "signed_up")
    run()
    merge(ada, other)
    track(ada, "signed_up", key="again")
    run()
    (only,) = Enrolment.objects.all()
    assert (only.contact_id, only.once, only.finished_at is not None) == (ada, True, True)


def test_an_event_that_waits_to_be_matched_enrols_the_survivor():
    publish(definition(WAIT))
    ada, other = two()
    track(other, "signed_up")
    merge(ada, other)
    run()
    assert states(ada) == {("waiting", "")}
    assert not states(other)


def test_an_event_that_came_late_for_the_absorbed_contact_enrols_the_survivor():
    publish(definition(WAIT))
    ada, other = two()
    merge(ada, other)
    track(other, "signed_up")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL carillon.guarded_path = 'on'")
        cursor.execute("UPDATE contact_events SET contact_id = %s", [other])
        cursor.execute("SET LOCAL carillon.guarded_path = 'off'")
    run()
    assert ContactEvent.objects.get(type="signed_up").contact_id == other  # the sweep has not been here yet
    assert states(ada) == {("waiting", "")}


def test_an_enrolment_that_came_late_is_chosen_among_as_in_the_merge():
    publish(definition(WAIT))
    ada, other = two()
    track(ada, "signed_up")
    run()
    merge(ada, other)
    late = Enrolment.objects.get(contact_id=ada)
    late.pk, late.public_id, late.contact_id = None, "00000000-0000-4000-8000-000000000001", other
    late.entered_at = clock.now()
    late.save()
    with transaction.atomic():
        merging.rehome([other], now=clock.now())
    assert states(ada) == {("waiting", ""), ("exited", "contact_merged")}
    late.refresh_from_db()
    assert (late.state, late.once) == ("exited", False)


def test_journeys_that_ended_with_the_merge_stay_ended_when_it_is_undone():
    publish(definition(WAIT))
    ada, other = two()
    track(ada, "signed_up")
    track(other, "signed_up")
    run()
    undo(merge(ada, other))
    assert states(ada) | states(other) == {("waiting", ""), ("exited", "contact_merged")}
    assert Enrolment.objects.filter(contact_id=other).count() == 1


def test_merging_while_the_engine_works_leaves_one_way_through():
    template("welcome")
    publish(definition(MAIL))
    for n in range(4):
        ada, other = contact(f"a{n}@example.com").pk, contact(f"b{n}@example.com").pk
        track([ada, other], "signed_up", key=f"{n}")

        def join(survivor: int = ada, absorbed: int = other) -> None:
            merge(survivor, absorbed)

        together(run, join, run)
        with transaction.atomic():
            merging.rehome([other], now=clock.now())
        run()
        found = Enrolment.objects.filter(contact_id__in=[ada, other])
        assert set(found.values_list("contact_id", flat=True)) == {ada}
        assert [row.state for row in found if row.finished_at is None] == ["waiting"]
        assert set(
            OutboxEntry.objects.filter(message__workflow_id__isnull=False).values_list("contact_id", flat=True)
        ).isdisjoint({other})
