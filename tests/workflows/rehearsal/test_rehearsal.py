"""Rehearsing what really happened finds just that; rehearsing something else tells the difference; nothing changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from contacts import clock, transactions, upserting
from contacts.audiences import tags
from contacts.audiences.tags import Tagging
from contacts.models import Contact
from contacts.upserting import Person
from delivery.models import Message
from delivery.public import unsubscribing
from delivery.webhooks import feedback, vocabulary
from delivery.webhooks.base import Report as Told
from delivery.webhooks.feedback import Sourced
from tests import journeys
from tests.workflows.rehearsal.past import lived_through
from workflows import publishing, scratch
from workflows.rehearsal import filling, running
from workflows.rehearsal.asked import Asked, CannotRehearse
from workflows.rehearsal.report import Report
from workflows.scratch import Scratch

pytestmark = pytest.mark.django_db(transaction=True)
MONDAY = datetime(2025, 3, 3, 9, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)

STEPS: dict[str, Any] = {
    "hello": journeys.step("send_email", {"next": "pause"}, template="hello"),
    "pause": journeys.step("wait", {"next": "plan"}, mode="duration", **{"for": "PT4H"}),
    "plan": journeys.step(
        "branch",
        {"paid": "thank", "else": "opened"},
        arms=[{"key": "paid", "if": {"field": "plan", "op": "eq", "value": "paid"}}],
    ),
    "thank": journeys.step("add_tag", {"next": None}, tag="thanked"),
    "opened": journeys.step(
        "branch",
        {"reader": "later", "else": "again"},
        arms=[{"key": "reader", "if": {"event": "email_opened", "op": "gte", "count": 1}}],
    ),
    "later": journeys.step("wait", {"next": "again"}, mode="duration", **{"for": "P1D"}),
    "again": journeys.step("send_email", {"next": None}, template="again"),
}


def _definition(**changes: Any) -> dict[str, Any]:
    return journeys.definition(STEPS, exit={"goal": [{"event": "bought"}]}, **changes)


def _person(name: str, plan: str) -> int:
    person = Person(fields={"email": f"{name}@example.com"}, attributes={"plan": plan})
    made = transactions.run(lambda now: upserting.upsert([person], source="api", now=now))
    assert made.contact_ids[0] is not None
    return made.contact_ids[0]


def _opened(contact_id: int) -> None:
    message = Message.objects.filter(contact_id=contact_id).latest("id")
    told = Told(
        mid=str(message.public_id),
        kind=vocabulary.OPENED,
        occurred_at=clock.now(),
        address="",
        is_machine=False,
        detail={},
        dedup=contact_id.to_bytes(32),
    )
    transactions.run(lambda now: feedback.fold([Sourced(told, "sandbox", "webhook:sandbox")], now=now))


def _live_through(room: Scratch) -> None:
    """Ada changes her plan while she waits, Ben opens, Cem unsubscribes, Dag buys, Eve does nothing."""
    journeys.template("hello"), journeys.template("again")
    journeys.publish(_definition())
    people = {name: _person(name, "free") for name in ("ada", "ben", "cem", "dag")}
    room.run_until(MONDAY + HOUR)
    journeys.track(list(people.values()), "signed_up")
    room.run_until(MONDAY + 2 * HOUR)
    people["eve"] = _person("eve", "free")
    journeys.track(people["eve"], "signed_up")
    _opened(people["ben"])
    room.run_until(MONDAY + 3 * HOUR)
    ada = Person(fields={}, attributes={"plan": "paid"})
    transactions.run(lambda now: upserting.say([people["ada"]], [ada], source="api", now=now))
    mail = Message.objects.get(contact_id=people["cem"])
    unsubscribing.unsubscribe(unsubscribing.token_of(str(mail.public_id)), source="one_click", now=clock.now())
    room.run_until(MONDAY + 4 * HOUR)
    journeys.track(people["dag"], "bought")
    journeys.track(people["eve"], "signed_up")
    room.run_until(MONDAY + 3 * DAY)


def rehearsed(asked: Asked) -> Report:
    piece = running.find(asked)
    scope = running.scope_of(piece)
    with scratch.open_scratch(now=asked.since) as room:
        return running.rehearse(room, asked, piece, scope)


def test_a_journey_that_ran_is_reproduced() -> None:
    with lived_through(MONDAY) as room:
        _live_through(room)
    report = rehearsed(Asked("journey", since=MONDAY, until=MONDAY + 3 * DAY, version=1))
    assert report.comparison is not None
    assert report.comparison.examples == ()
    assert report.comparison.really == report.comparison.same == 5
    assert report.comparison.farthest < 1
    assert {each.name: each.count for each in report.exits} == {"goal_achieved": 1}
    assert {each.name: each.count for each in report.refused} == {"re_entry": 1}
    assert {each.name: each.count for each in report.held_back} == {"frequency_cap": 1, "unsubscribe": 1}
    assert report.sent == 6
    came = {each.step: (each.came, each.standing, each.sent, each.held_back) for each in report.steps}
    assert came == {
        "hello": (5, 0, 5, 0),
        "pause": (5, 0, 0, 0),
        "plan": (4, 0, 0, 0),  # Dag has left while waiting
        "thank": (1, 0, 0, 0),
        "opened": (3, 0, 0, 0),
        "later": (1, 0, 0, 0),
        "again": (3, 0, 1, 2),
    }
    assert report.definition is None, "a version is looked up"
    assert report.effort.unmatched_feedback == 0


def test_a_changed_draft_is_another_journey_and_every_difference_is_told() -> None:
    with lived_through(MONDAY) as room:
        _live_through(room)
    with transaction.atomic():
        publishing.save_draft(definition=journeys.definition(STEPS), now=clock.now())  # without the goal
    report = rehearsed(Asked("journey", since=MONDAY, until=MONDAY + 3 * DAY))
    assert report.definition == journeys.definition(STEPS)
    assert report.comparison is not None and report.comparison.same == 4
    (other,) = report.comparison.examples
    dag = Contact.objects.get(email="dag@example.com")
    assert (other.contact, other.what) == (str(dag.public_id), "another_way")
    assert "goal_achieved" in other.really and "goal_achieved" not in other.rehearsed


def test_live_tables_stay_as_they_were_and_the_scratch_is_left_empty() -> None:
    with lived_through(MONDAY) as room:
        _live_through(room)
        name = room.ask("SELECT current_schema()")[0][0]
    before = _live_rows()
    rehearsed(Asked("journey", since=MONDAY, until=MONDAY + 3 * DAY))
    assert _live_rows() == before
    assert before["contacts"][0] == 5 and before["messages"][0] > 5
    with connection.cursor() as cursor:
        for table in ("contacts", "contact_events", "messages", "contact_identities", "sandbox_mails"):
            cursor.execute(f"SELECT count(*) FROM {name}.{table}")
            assert cursor.fetchone()[0] == 0, table


def test_a_contact_is_what_it_was_when_the_period_began() -> None:
    """Gil is made with a plan, changes it, gets a tag and loses it; the period begins in between."""
    with lived_through(MONDAY) as room:
        journeys.template("hello"), journeys.template("again")
        journeys.publish(_definition())
        gil = _person("gil", "free")
        transactions.run(lambda now: tags.add_tag(contact_ids=[gil], tag="early", source="api", now=now))
        room.run_until(MONDAY + 2 * DAY)
        paid = Person(fields={"locale": "de"}, attributes={"plan": "paid", "seats": 3})
        transactions.run(lambda now: upserting.say([gil], [paid], source="api", now=now))
        transactions.run(lambda now: tags.remove_tags([Tagging(gil, "early", "api")], now=now))
        transactions.run(lambda now: tags.add_tag(contact_ids=[gil], tag="late", source="api", now=now))
    asked = Asked("journey", since=MONDAY + DAY, until=MONDAY + 3 * DAY)
    piece = running.find(asked)
    scope = running.scope_of(piece)
    with scratch.open_scratch(now=asked.since) as room:
        filling.fill(room, asked, piece, scope, say=lambda _: None)
        then = Contact.objects.get(pk=gil)
        assert (then.attributes, then.locale, _tags(room)) == ({"plan": "free"}, "", ["early"])
    with scratch.open_scratch(now=asked.since) as room:
        running.rehearse(room, asked, piece, scope)
        later = Contact.objects.get(pk=gil)
        assert (later.attributes, later.locale, _tags(room)) == ({"plan": "paid", "seats": 3}, "de", ["late"])


def test_imported_history_is_played_by_when_it_occurred() -> None:
    journeys.template("hello"), journeys.template("again")
    with transaction.atomic():
        publishing.save_draft(definition=_definition(), now=clock.now())
    hal = journeys.contact("hal@example.com", attributes={"plan": "free"})
    journeys.track(hal.pk, "signed_up", occurred_at=MONDAY + HOUR)
    assert rehearsed(Asked("journey", since=MONDAY, until=MONDAY + DAY)).entered == 0
    report = rehearsed(Asked("journey", since=MONDAY, until=MONDAY + DAY, clock="occurred"))
    assert report.entered == 1 and report.comparison is None
    assert [(day.day, day.sent) for day in report.days] == [("2025-03-03", 1)]


def test_a_longer_moment_plays_contacts_together_and_no_contact_out_of_order() -> None:
    with lived_through(MONDAY) as room:
        _live_through(room)
    report = rehearsed(Asked("journey", since=MONDAY, until=MONDAY + 3 * DAY, moment=timedelta(minutes=30)))
    assert report.comparison is not None and report.comparison.same == 5
    assert report.comparison.farthest <= 3600


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"slug": "nobody"}, "no journey"),
        ({"version": 7}, "no version 7"),
        ({"until": MONDAY}, "must end after"),
        ({"sample": 0}, "sample"),
    ],
)
def test_what_cannot_be_rehearsed_is_said_in_a_sentence(changes: dict[str, Any], why: str) -> None:
    publishing.save_draft(definition=journeys.definition({"tag": journeys.step("add_tag", tag="t")}), now=clock.now())
    with pytest.raises(CannotRehearse, match=why):
        running.find(Asked(**{"slug": "journey", "since": MONDAY, "until": MONDAY + DAY, **changes}))


def _tags(room: Scratch) -> list[str]:
    return [
        name for (name,) in room.ask("SELECT tags.name FROM tags JOIN contact_tags c ON c.tag_id = tags.id ORDER BY 1")
    ]


def _live_rows() -> dict[str, tuple[int, str]]:
    """Table -> how many rows, and a checksum of them."""
    found = {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace"
            " AND relkind IN ('r', 'p') AND NOT relispartition"
        )
        for (table,) in cursor.fetchall():
            rows = "md5(string_agg(r::text, '|' ORDER BY r::text))"
            cursor.execute(f"SELECT count(*), COALESCE({rows}, '') FROM {table} r")
            found[table] = cursor.fetchone()
    return found
