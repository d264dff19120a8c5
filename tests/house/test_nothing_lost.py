"""The drill `nothing_lost` counts against an oracle of its own, which must itself be right; and its mutants, which are
lines of the product, do nothing unless a drill builds them in."""

import json
import random

import pytest
from django.db import connection, transaction

from contacts import chaos, event_rows, events, redis_index
from contacts.events import NewEvent
from contacts.identifiers import Identifiers
from contacts.models import ContactEvent
from tests.drills.nothing_lost.load import ARRIVED, KNOCKED, REFUSALS, REFUSES_EVERY, SAID, Amount, Event, batches
from tests.drills.rig import people
from tests.drills.rig.nemesis import Nemesis
from tests.drills.rig.processes import Crew
from tests.drills.rig.producers import API, SEGMENT

LANES = ("urgent", "bulk")
AMOUNT = Amount(arrivals=400, knocking=30, knocks=20, burst=5, per_batch=10)


def test_every_event_has_a_key_of_its_own_and_comes_by_either_door_and_lane():
    made = batches(AMOUNT, random.Random(1), "load")
    brought = [event for batch in made for event in batch.events]
    assert len(brought) == AMOUNT.arrivals + AMOUNT.knocking * AMOUNT.knocks
    assert len({event.key for event in brought}) == len(brought)
    assert {(batch.door, batch.lane) for batch in made} == {
        (d, ln) for d in (API, SEGMENT) for ln in ("urgent", "bulk")
    }
    assert {event.type for event in brought} == {ARRIVED, KNOCKED}
    assert json.loads(json.dumps(made[0].as_row()))["events"][0]["key"] == made[0].events[0].key
    assert [batch.as_row() for batch in batches(AMOUNT, random.Random(1), "load")] == [each.as_row() for each in made]


@pytest.mark.django_db
def test_the_oracle_of_consent_says_of_each_event_what_the_product_stamps_on_it(now):
    known = REFUSES_EVERY + 1
    with connection.cursor() as cursor:
        cursor.execute(people.CONTACTS, [known])
        cursor.execute(people.IDENTITIES)
        cursor.execute("SELECT setval(pg_get_serial_sequence('contacts', 'id'), %s)", [known])
        cursor.execute(REFUSALS, [REFUSES_EVERY])
    asked = [
        Event(f"{person}:{said}", ARRIVED, person, said)
        for person in (REFUSES_EVERY, known, 2 * REFUSES_EVERY)  # refused, never said anything, nobody knew
        for said in dict.fromkeys(SAID)
    ]
    with transaction.atomic():
        events.record_batch([_as_recorded(each) for each in asked], source="api", now=now)
    stamped = dict(ContactEvent.objects.values_list("properties__key", "processed"))
    assert stamped == {each.key: each.may_start(known) for each in asked}
    assert set(stamped.values()) == {True, False}


def _as_recorded(event: Event) -> NewEvent:
    said = {} if event.tracking is None else {"consent": {"categoryPreferences": {"tracking": event.tracking}}}
    who = Identifiers(external_id=people.external_id(event.person))
    return NewEvent(event.type, None, who, {"key": event.key}, said, key=event.key)


@pytest.mark.django_db
def test_keys_that_redis_remembers_are_forgotten_with_it(monkeypatch, now):
    """What the mutant `dedup_in_redis` builds in: the drill must not find it harmless for another reason."""
    monkeypatch.setattr(chaos, "mutant", lambda name: name == "dedup_in_redis")
    event = _as_recorded(Event("one", ARRIVED, 1, None))
    deliver = lambda: events.record_batch([event], source="api", now=now).accepted  # noqa: E731
    assert [deliver(), deliver()] == [1, 0]
    redis_index.connection().delete(redis_index.key("event_keys"))
    assert deliver() == 1
    monkeypatch.setattr(chaos, "mutant", lambda name: False)
    assert [deliver(), deliver()] == [1, 0]
    assert event_rows.insert([], source="api", lane="urgent", now=now) == []


class Deeds:
    """Services whose misfortunes are counted."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def flush_redis(self) -> None:
        self.done.append("flush")

    def restart_postgres(self) -> None:
        self.done.append("crash")

    def broker_faults(self) -> dict[str, float]:
        return {}


def test_counted_faults_happen_so_often_and_then_no_more(tmp_path):
    deeds = Deeds()
    villain = Nemesis(
        crew=Crew([], {}, tmp_path),
        services=deeds,
        weights={"flush_redis": 3, "restart_postgres": 1},
        every=0.01,
        seed=1,
        record=tmp_path / "faults.jsonl",
        progress=lambda: len(deeds.done),
        counted=True,
    )
    assert not villain.is_through
    villain.start()
    villain._thread.join(20)  # it rests by itself
    assert villain.is_through
    villain.stop()
    assert sorted(deeds.done) == ["crash", "flush", "flush", "flush"]
    assert len(villain.collect()) == 4
