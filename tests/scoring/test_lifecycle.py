"""Stages: an append-only log, and the news of every move."""

import threading

import pytest
from django.db import connection, transaction

from contacts import conditions
from contacts.models import ContactEvent
from scoring.lifecycle import stages
from scoring.models import LifecycleEvent

pytestmark = pytest.mark.django_db


def move(ids, to_stage, now, **more):
    with transaction.atomic():
        return stages.move(
            contact_ids=ids, to_stage=to_stage, **({"reason": "asked for", "source": "api", "now": now} | more)
        )


def test_a_move_is_a_row_and_an_event(person, now):
    contact_id = person()
    assert move([contact_id], "lead", now) == [contact_id]
    assert move([contact_id], "customer", now, reason="paid") == [contact_id]
    rows = LifecycleEvent.objects.filter(contact_id=contact_id).order_by("id")
    assert [(row.from_stage, row.to_stage, row.reason) for row in rows] == [
        ("", "lead", "asked for"),
        ("lead", "customer", "paid"),
    ]
    told = ContactEvent.objects.filter(contact_id=contact_id, type="lifecycle_changed").order_by("id")
    assert [event.properties for event in told] == [
        {"from": "", "to": "lead", "reason": "asked for"},
        {"from": "lead", "to": "customer", "reason": "paid"},
    ]


def test_a_move_to_where_one_is_is_no_move(person, now):
    contact_id = person()
    move([contact_id], "lead", now)
    assert move([contact_id, contact_id], "lead", now) == []
    assert LifecycleEvent.objects.count() == 1


def test_going_back_is_a_new_row(person, now):
    contact_id = person()
    for stage in ("mql", "sql", "mql"):
        move([contact_id], stage, now)
    assert stages.current_stages([contact_id]) == {contact_id: "mql"}
    assert LifecycleEvent.objects.count() == 3


def test_contacts_of_other_stages_can_be_left_where_they_are(person, now):
    fresh, lead, customer = person(), person(), person()
    move([lead], "lead", now)
    move([customer], "customer", now)
    assert move([fresh, lead, customer], "mql", now, only_from=["", "lead"]) == [fresh, lead]
    assert stages.current_stages([fresh, lead, customer]) == {fresh: "mql", lead: "mql", customer: "customer"}


def test_a_stage_that_does_not_exist_is_refused(person, now):
    with pytest.raises(ValueError, match="unknown lifecycle stage"):
        move([person()], "vip", now)


def test_a_condition_may_ask_for_the_stage(person, now):
    mql, none = person(), person()
    move([mql], "lead", now)
    move([mql], "mql", now)

    def matching(**node):
        condition = conditions.parse({"field": "lifecycle_stage", **node})
        return conditions.matching_contacts(condition, contact_ids=[mql, none], now=now)

    assert matching(op="in", value=["mql", "sql"]) == {mql}
    assert matching(op="eq", value="lead") == set()
    assert matching(op="not_exists") == {none}


@pytest.mark.django_db(transaction=True)
def test_two_who_move_a_contact_at_once_move_it_once(person, now):
    contact_id = person()
    moved = []

    def work():
        try:
            moved.append(move([contact_id], "mql", now))
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(moved) == [[], [], [], [contact_id]]
    assert LifecycleEvent.objects.filter(contact_id=contact_id).count() == 1
