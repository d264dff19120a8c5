"""What another frequency cap would have done: compared with the gate itself under that cap."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from delivery import allowances, pressure
from delivery.allowances import Outcome
from delivery.caps import Cap
from delivery.models import SendLogEntry
from tests.delivery import making
from tests.delivery.test_pressure import Gate, hours
from tests.remembered import furnished

pytestmark = pytest.mark.django_db

CONTACTS, DAYS = 6, 16
AS_IT_IS = Cap(1, 3)


def a_fortnight(seed: int, *, prefix: str) -> list[int]:
    """Messages of all priorities and lanes come to the gate at the same random instants for the same seed; returns, in
    order, whether each was sent (1) or skipped (0)."""
    chance, doors = random.Random(seed), Gate()
    people = [
        making.contact(f"{prefix}{n}@example.com", frequency_cap={"per_day": 1} if n == 0 else None).pk
        for n in range(CONTACTS)
    ]
    asked = []
    for _ in range(60):
        at = hours(chance.uniform(0, 24 * DAYS))
        asked.append((at, [(chance.choice(people), chance.randint(1, 10)) for _ in range(chance.randint(1, 3))]))
    messages = []
    for at, batch in sorted(asked, key=lambda each: each[0]):
        for who, priority in batch:
            messages.append(doors.ask(who, 1, at, priority=priority, lane=chance.choice(["urgent", "bulk"])))
        doors.open(at, "urgent")
        doors.open(at + timedelta(milliseconds=1), "bulk")
    decided = dict(
        SendLogEntry.objects.filter(message_id__in=messages, kind__in=["claimed", "capped"]).values_list(
            "message_id", "kind"
        )
    )
    return [int(decided[each] == "claimed") for each in messages]


def as_it_was(seed: int) -> list[int]:
    """Under the cap that is in force; the same rows for every test of the seed."""
    return furnished(("a fortnight", seed), lambda: a_fortnight(seed, prefix="a"), now=hours(0))


def asked_again(instead: Cap, *, days: int = DAYS + 1) -> Outcome:
    span = pressure.span(days=days, channel="email", now=hours(24 * DAYS + 1))
    (found,) = allowances.what_if(span, instead=[instead])
    return found


@pytest.mark.parametrize("seed", range(5))
def test_with_the_cap_that_was_in_force_nothing_changes(seed):
    sent = as_it_was(seed)
    assert 0 < sum(sent) < len(sent)
    assert asked_again(AS_IT_IS) == Outcome(AS_IT_IS, len(sent), sum(sent), gained=0, lost=0)


@pytest.mark.parametrize("seed", range(3))
def test_with_the_cap_that_was_in_force_nothing_changes_from_the_middle_on_either(seed):
    as_it_was(seed)
    found = asked_again(AS_IT_IS, days=5)
    assert found.asked > found.sent > 0
    assert (found.gained, found.lost) == (0, 0)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("instead", [Cap(2, 4), Cap(1, 1), Cap(3, 3), Cap(0, 5), Cap(None, 2), Cap(None, None)])
def test_another_cap_does_what_the_gate_would_have_done_under_it(settings, seed, instead):
    sent = as_it_was(seed)
    found = asked_again(instead)
    making.change("DELETE FROM outbox", [])
    making.change("DELETE FROM contact_send_log", [])
    settings.FREQUENCY_CAP_PER_DAY, settings.FREQUENCY_CAP_PER_WEEK = instead.per_day, instead.per_week
    then = a_fortnight(seed, prefix="b")
    pairs = list(zip(sent, then, strict=True))
    assert found == Outcome(instead, len(sent), sum(then), gained=pairs.count((0, 1)), lost=pairs.count((1, 0)))


def test_where_nobody_asked_nothing_would_have_been_sent():
    assert asked_again(Cap(1, 3)) == Outcome(Cap(1, 3), 0, 0, 0, 0)
