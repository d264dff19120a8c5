"""The production engine lives through what `making` made, in this process: under a simulated clock, its batches in
random order and of random size, killed at its pause points, with deliveries and bells too many."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db import connection

from contacts import events, transactions, upserting
from contacts.audiences import tags
from contacts.models import Contact
from tests.workflows.random_journeys.making import Deed
from workflows import admission, engine, intake, pausing, publishing
from workflows.entry import entry_requests
from workflows.watches import looking

LANES = ("urgent", "bulk")
MOST_BATCHES = 20_000
OPEN = "contact_id = ANY(%s) AND state IN ('pending', 'active', 'waiting')"


class Killed(BaseException):
    """The process died here. No `except Exception` saves it; PostgreSQL rolls back."""


@dataclass
class Clock:
    """Simulated: no two transactions begin at the same instant."""

    at: datetime
    ticks: int = 0

    def now(self) -> datetime:
        self.ticks += 1
        return self.at + timedelta(microseconds=self.ticks)

    def move_to(self, at: datetime) -> None:
        assert self.ticks < 1_000_000, "the microseconds of this second are used up"
        if at > self.at:
            self.at, self.ticks = at, 0


@dataclass
class Play:
    """One run. `kills`: how likely a batch dies at each pause point that it passes."""

    dice: random.Random
    clock: Clock
    kills: float
    people: Sequence[int] = ()
    killed: int = 0
    batches: int = 0
    passed: dict[str, int] = field(default_factory=dict)

    def point(self, name: str) -> None:
        """In the place of `contacts.chaos.point`."""
        self.passed[name] = self.passed.get(name, 0) + 1
        if self.dice.random() < self.kills:
            self.killed += 1
            raise Killed

    def publish(self, definition: Mapping[str, Any]) -> None:
        publishing.save_draft(definition=dict(definition), now=self.clock.now())
        publishing.publish(slug=definition["slug"], by="test", now=self.clock.now())

    def arrive(self, count: int, slug: str) -> None:
        made = [Contact(external_id=f"{slug}-{number}") for number in range(count)]
        self.people = [contact.pk for contact in Contact.objects.bulk_create(made)]

    def live(self, deeds: Sequence[Deed]) -> None:
        """Everything at its instant, and whatever follows from it before the next one."""
        beginning = self.clock.at
        for number, deed in enumerate(deeds):
            self._pass_time(beginning + timedelta(seconds=deed.at))
            for _ in range(deed.delivered):
                self._until_done(partial(self._do, deed, f"deed-{number}"))
                if self.dice.random() < 0.3:
                    self._batch()
            self._rest()
        self._pass_time(None)

    def _do(self, deed: Deed, key: str) -> None:
        contact_id = self.people[deed.person]
        transactions.run(partial(_do, contact_id, deed, f"{key}-{contact_id}"))

    # -- the engine ----------------------------------------------------------------------------------------------------
    def _pass_time(self, to: datetime | None) -> None:
        """Until that instant, or until nobody is under way."""
        while True:
            wake = self._next_wake()
            if wake is None or (to is not None and wake > to):
                break
            self.clock.move_to(wake)
            self._rest()
        if to is not None:
            self.clock.move_to(to)

    def _next_wake(self) -> datetime | None:
        """Nobody is due now; a wait that ends is due from its wake time on."""
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT min(wake_at) FROM workflow_enrolments WHERE {OPEN}", [list(self.people)])
            return cursor.fetchone()[0]

    def _rest(self) -> None:
        """Batches in random order until each of them, asked once more, has nothing to do."""
        idle: set[str] = set()
        while left := sorted(_BATCHES.keys() - idle):
            name = self.dice.choice(left)
            idle = set() if self._batch(name) else idle | {name}

    def _batch(self, name: str = "") -> bool:
        """One of them; whether it had work, or died before it could say."""
        self.batches += 1
        assert self.batches < MOST_BATCHES, "the engine never came to rest"
        try:
            return _BATCHES[name or self.dice.choice(sorted(_BATCHES))](self.dice.choice([1, 2, 5, 500]))
        except Killed:
            return True

    def _until_done(self, work: Callable[[], None]) -> None:
        while True:
            try:
                return work()
            except Killed:
                continue


def _do(contact_id: int, deed: Deed, key: str, now: datetime) -> None:
    match deed.kind:
        case "track":
            event = events.NewEvent(
                type=deed.value, occurred_at=now, contact=contact_id, properties={}, context={}, key=key
            )
            events.record_batch([event], source="api", now=now)
        case "colour":
            person = upserting.Person(fields={}, attributes={"colour": deed.value})
            upserting.change(contact_id, person, source="api", now=now)
        case "tag":
            tags.add_tag(contact_ids=[contact_id], tag=deed.value, source="api", now=now)
        case _:
            tags.remove_tags([tags.Tagging(contact_id, deed.value, "api")], now=now)


def _look(lane: str, limit: int) -> bool:
    return transactions.run(partial(looking.look_batch, lane, limit=limit))


def _batches() -> dict[str, Callable[[int], bool]]:
    found: dict[str, Callable[[int], bool]] = {"release": lambda limit: pausing.release_batch()}
    for lane in LANES:
        found |= {
            f"intake {lane}": lambda limit, lane=lane: intake.match_batch(lane=lane, limit=limit),
            f"requests {lane}": lambda limit, lane=lane: entry_requests.take_batch(lane=lane, limit=limit),
            f"look {lane}": lambda limit, lane=lane: _look(lane, limit),
            f"admit {lane}": lambda limit, lane=lane: admission.admit_batch(lane=lane),
            f"advance {lane}": lambda limit, lane=lane: engine.advance_batch(lane=lane, limit=limit),
        }
    return found


_BATCHES = _batches()
