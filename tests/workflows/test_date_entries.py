"""Dates of contacts start journeys: on their day, once for each occasion, by what the contact has then."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction

from contacts import chaos, clock, upserting
from contacts.models import Contact
from contacts.signals import contacts_changed
from tests import journeys
from tests.journeys import definition, step
from workflows import publishing
from workflows.definition.validation import validate
from workflows.entry import date_entries, due_dates
from workflows.models import DateEntry, Enrolment, EntryRefusal, TriggerSchedule

pytestmark = pytest.mark.django_db(transaction=True)

END = {"tag": step("add_tag", tag="t")}
NOW = datetime(2026, 6, 7, 6, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def journey(re_entry: str = "every_time", **trigger) -> dict:
    trigger = {"type": "date", "attribute": "renewal", "offset": "-P3D", "at": "09:00", **trigger}
    return definition(
        END,
        entry={"trigger": trigger, "re_entry": {"policy": re_entry}},
        settings={"default_timezone": "Europe/Berlin"},
    )


@pytest.fixture
def clock_at(monkeypatch):
    """The database's clock, as a test sets it."""
    at = {"now": NOW}
    monkeypatch.setattr(clock, "now", lambda: at["now"])

    def set_to(now: datetime) -> datetime:
        at["now"] = now
        return now

    return set_to


def person(n: int, renewal: object = "2026-06-10", **fields) -> int:
    made = journeys.contact(f"p{n}@example.com", attributes={"renewal": renewal}, **fields).pk
    Contact.objects.filter(pk=made).update(created_at=NOW - timedelta(days=900))
    return made


def look(now: datetime, page: int = date_entries.PAGE) -> int:
    pages = 0
    while True:
        with transaction.atomic():
            if not date_entries.look_through(now=now, page=page):
                return pages
        pages += 1


def enter_due() -> None:
    while due_dates.enter_batch():
        pass


def pass_time(clock_at, *, until: datetime, every: timedelta = HOUR) -> None:
    """As the sweeper would ring."""
    now = clock.now()
    while now < until:
        now = clock_at(min(now + every, until))
        look(now)
        enter_due()


def change(contact_id: int, now: datetime, **attributes) -> None:
    """As the doors do: the row, then the news."""
    with transaction.atomic():
        contact = Contact.objects.get(pk=contact_id)
        contact.attributes = {**contact.attributes, **attributes}
        contact.save(update_fields=["attributes"])
        contacts_changed.send(
            sender=None, contact_ids=(contact_id,), kinds=frozenset({"attribute"}), lane="urgent", now=now
        )


def entered() -> list[int]:
    return list(Enrolment.objects.order_by("id").values_list("contact_id", flat=True))


def occasions_of(contact_id: int) -> list[str]:
    rows = Enrolment.objects.filter(contact_id=contact_id).order_by("id")
    return [row.trigger["properties"]["date"] for row in rows]


def test_a_date_enters_at_its_local_time_and_not_before(clock_at):
    berlin, tokyo = person(1), person(2, timezone="Asia/Tokyo")
    clock_at(NOW - timedelta(hours=30))
    journeys.publish(journey())
    pass_time(clock_at, until=datetime(2026, 6, 6, 23, 59, tzinfo=UTC), every=timedelta(minutes=30))
    assert entered() == []
    pass_time(clock_at, until=datetime(2026, 6, 7, 0, 0, tzinfo=UTC))
    assert entered() == [tokyo]
    pass_time(clock_at, until=datetime(2026, 6, 7, 6, 59, tzinfo=UTC))
    assert entered() == [tokyo]
    pass_time(clock_at, until=datetime(2026, 6, 9, 7, 0, tzinfo=UTC))
    assert entered() == [tokyo, berlin]
    trigger = Enrolment.objects.get(contact_id=berlin).trigger
    assert trigger["type"] == "date" and trigger["occurred_at"] == "2026-06-07T07:00:00+00:00"
    assert trigger["properties"] == {"attribute": "renewal", "date": "2026-06-10"}


def test_dates_that_are_past_when_it_is_published_start_nobody(clock_at):
    person(1, "2026-06-10")
    clock_at(datetime(2026, 6, 7, 7, 0, 1, tzinfo=UTC))
    journeys.publish(journey())
    pass_time(clock_at, until=NOW + timedelta(days=3))
    assert entered() == []


def test_a_contact_who_is_made_or_changed_with_a_past_date_does_not_enter(clock_at):
    journeys.publish(journey())
    pass_time(clock_at, until=NOW + timedelta(hours=5))
    one = person(1, "2027-01-01")
    change(one, clock.now(), renewal="2026-06-10")
    with transaction.atomic():
        made = upserting.upsert(
            [upserting.Person(fields={"email": "new@example.com"}, attributes={"renewal": "2026-06-09"})],
            source="api",
            now=clock.now(),
        )
    assert made.created
    pass_time(clock_at, until=NOW + timedelta(days=3))
    assert entered() == [] and not DateEntry.objects.exists()


def test_a_contact_who_gets_a_date_that_is_due_soon_enters_without_a_round(clock_at):
    journeys.publish(journey())
    look(NOW)
    one = person(1, "someday")
    change(one, NOW, renewal="2026-06-10")
    clock_at(datetime(2026, 6, 7, 7, 0, tzinfo=UTC))
    enter_due()
    assert entered() == [one]


def test_a_changed_date_is_not_entered_and_the_new_one_counts(clock_at):
    sooner, later = person(1), person(2)
    journeys.publish(journey())
    look(NOW)
    assert DateEntry.objects.count() == 2
    Contact.objects.filter(pk=later).update(attributes={"renewal": "2026-06-12"})  # told to nobody
    change(sooner, NOW, renewal="2026-06-11")
    pass_time(clock_at, until=datetime(2026, 6, 8, 6, 0, tzinfo=UTC))
    assert entered() == []
    pass_time(clock_at, until=datetime(2026, 6, 10, 7, 0, tzinfo=UTC))
    assert [(pk, occasions_of(pk)) for pk in entered()] == [(sooner, ["2026-06-11"]), (later, ["2026-06-12"])]


def test_a_changed_zone_moves_an_occasion_that_has_not_entered(clock_at):
    one = person(1)
    journeys.publish(journey())
    look(NOW)
    Contact.objects.filter(pk=one).update(timezone="America/Los_Angeles")
    pass_time(clock_at, until=datetime(2026, 6, 7, 15, 59, tzinfo=UTC))
    assert entered() == []
    pass_time(clock_at, until=datetime(2026, 6, 7, 16, 0, tzinfo=UTC))
    assert entered() == [one] and DateEntry.objects.count() == 1


def test_each_occasion_starts_it_once_however_often_it_is_looked_at(clock_at):
    one = person(1)
    journeys.publish(journey())
    pass_time(clock_at, until=datetime(2026, 6, 7, 8, 0, tzinfo=UTC), every=timedelta(minutes=10))
    journeys.run()
    change(one, clock.now(), renewal="2026-06-12")
    change(one, clock.now(), renewal="2026-06-10")
    journeys.publish(journey())
    pass_time(clock_at, until=NOW + timedelta(days=6))
    assert entered() == [one]


def test_birthdays_come_every_year(clock_at):
    one = person(1, "1990-06-08")
    journeys.publish(journey(offset=None, every_year=True))
    for year in (2026, 2027):
        clock_at(datetime(year, 6, 7, 6, 0, tzinfo=UTC))
        TriggerSchedule.objects.update(seen_to=clock.now(), next_at=clock.now())
        pass_time(clock_at, until=datetime(year, 6, 8, 7, 0, tzinfo=UTC))
        journeys.run()
    assert occasions_of(one) == ["2026-06-08", "2027-06-08"]


def test_whatever_the_size_of_a_page_everybody_is_looked_at(clock_at):
    ids = [person(n, "2026-06-10" if n % 2 else "2026-07-10") for n in range(9)]
    journeys.publish(journey())
    assert look(NOW, page=2) == 6  # five pages, and the end of the round
    assert look(NOW) == 0
    assert set(DateEntry.objects.values_list("contact_id", flat=True)) == set(ids[1::2])


def test_what_fell_due_while_nothing_ran_enters_late_but_not_for_whom_it_was_past_already(clock_at):
    waited, changed = person(1, "2026-06-13"), person(2, "2026-09-01")
    journeys.publish(journey())
    look(NOW)
    back = clock_at(NOW + timedelta(days=5))
    Contact.objects.filter(pk=changed).update(attributes={"renewal": "2026-06-13"})
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO contact_changes (contact_id, changed_at, kind, name, source)"
            " VALUES (%s, %s, 'attribute', 'renewal', 'api')",
            [changed, back],
        )
    fresh = journeys.contact("fresh@example.com", attributes={"renewal": "2026-06-13"}).pk
    Contact.objects.filter(pk=fresh).update(created_at=back)
    look(back)
    enter_due()
    assert entered() == [waited]


def test_a_paused_journey_lets_dates_pass_and_says_so(clock_at):
    one = person(1)
    journeys.publish(journey())
    look(NOW)
    publishing.pause(slug="journey", now=NOW)
    pass_time(clock_at, until=datetime(2026, 6, 7, 8, 0, tzinfo=UTC))
    publishing.resume(slug="journey", now=clock.now())
    pass_time(clock_at, until=datetime(2026, 6, 8, 8, 0, tzinfo=UTC))
    assert entered() == []
    assert list(EntryRefusal.objects.values_list("contact_id", "reason", "detail")) == [(one, "paused", {"by": "date"})]


def test_another_version_looks_anew_and_an_archived_journey_forgets(clock_at):
    person(1)
    journeys.publish(journey())
    look(NOW)
    journeys.publish(journey(offset="-P2D"))
    assert not DateEntry.objects.exists()
    look(NOW)
    pass_time(clock_at, until=datetime(2026, 6, 7, 23, 0, tzinfo=UTC))
    assert entered() == []
    publishing.archive(slug="journey", now=clock.now())
    assert not DateEntry.objects.exists() and not TriggerSchedule.objects.exists()


def test_killed_while_it_enters_nothing_has_happened(clock_at, monkeypatch):
    one = person(1)
    journeys.publish(journey())
    look(NOW)
    clock_at(datetime(2026, 6, 7, 7, 0, tzinfo=UTC))

    def kill(place: str) -> None:
        if place == "due_dates.entered":
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(chaos, "point", kill)
        with pytest.raises(KeyboardInterrupt):
            due_dates.enter_batch()
    assert entered() == [] and DateEntry.objects.filter(done_at=None).count() == 1
    enter_due()
    assert entered() == [one]


def test_many_workers_enter_each_occasion_once(clock_at):
    ids = [person(n) for n in range(30)]
    journeys.publish(journey())
    look(NOW)
    clock_at(datetime(2026, 6, 7, 7, 0, tzinfo=UTC))
    problems: list[Exception] = []

    def work() -> None:
        try:
            for _ in range(200):
                if not DateEntry.objects.filter(done_at=None).exists():
                    break
                due_dates.enter_batch(limit=4)
        except Exception as error:
            problems.append(error)
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert problems == [] and sorted(entered()) == ids


@pytest.mark.parametrize(
    ("change_", "field"),
    [
        ({"offset": "soon"}, "entry.trigger.offset"),
        ({"offset": "P4000D"}, "entry.trigger.offset"),
        ({"at": "9:00"}, "entry.trigger.at"),
        ({"attribute": ""}, "entry.trigger.attribute"),
    ],
)
def test_a_date_trigger_says_what_is_wrong_with_it(change_, field):
    assert field in [problem.field for problem in validate(journey(**change_))]


def test_who_is_there_already_cannot_be_brought_in_by_their_dates():
    document = journey()
    document["entry"]["enrol_existing"] = True
    assert [problem.field for problem in validate(document)] == ["entry.enrol_existing"]
