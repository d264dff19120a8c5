"""A world of journeys made by chance. Whatever happens at one instant happens in whatever order, by several actors at
once, with crashes; then everybody's way is the one that the contract says, word for word and second for second."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any

from contacts import events, transactions, upserting
from contacts.audiences import lists, tags
from contacts.models import Contact
from tests.simulation.baton import Job
from tests.simulation.play import Play
from tests.simulation.virtual import BEGINNING
from tests.workflows.random_journeys import making, oracle
from tests.workflows.random_journeys.making import Deed
from workflows import publishing, sweep

PEOPLE = 3
MOST_DEEDS = 9
SLUG, TRIGGER = "journey", "journey began"
DUE = """
    SELECT min(wake_at), 'workflows.advance', lane FROM workflow_enrolments
     WHERE state IN ('pending', 'active', 'waiting') GROUP BY lane
     UNION ALL
    SELECT min(wake_at), 'workflows.admit', lane FROM workflow_enrolments
     WHERE state IN ('pending', 'active', 'waiting') AND wake_at <= '{now}' GROUP BY lane
"""
_WAYS = """
    SELECT e.contact_id, e.exit_reason, extract(epoch FROM e.finished_at - %s)::float8,
           COALESCE((SELECT json_agg(json_build_array(j.step, j.outcome, j.port) ORDER BY j.seq)
                       FROM workflow_journal j WHERE j.enrolment_id = e.id), '[]')
      FROM workflow_enrolments e ORDER BY e.id
"""


def perform(play: Play) -> None:
    dice = play.dice
    play.sweeps = (sweep.ring_where_work_waits,)
    people = _arrive()
    definition = making.definition(dice, slug=SLUG, trigger=TRIGGER)
    _publish(definition)
    deeds = list(islice(making.life(dice, PEOPLE, TRIGGER), MOST_DEEDS))
    later = {
        dice.randrange(len(deeds)): making.definition(dice, slug=SLUG, trigger=TRIGGER)
        for _ in range(dice.choice([0, 1, 2]))
    }
    play.stage.bells.clear()
    play.say(f"journeys: {definition['steps']}")
    for number, deed in enumerate(deeds):
        at = BEGINNING + timedelta(seconds=60 + deed.at)
        play.pass_time(at - timedelta(milliseconds=500), comes_due=DUE)
        if number in later:
            play.settle([Job("publish", partial(_publish, later[number]), is_repeated=True)])
        play.pass_time(at, comes_due=DUE)
        play.say(f"deed {deed}")
        play.settle(_jobs(deed, f"deed-{number}", people[deed.person]))
    play.pass_time(None, comes_due=DUE)
    play.calm()
    play.pass_time(None, comes_due=DUE)
    _compare(play, definition, deeds, later, people)


def _arrive() -> list[int]:
    now = BEGINNING
    for slug in making.LISTS:
        transactions.run(partial(_make_list, slug))
    made = [Contact(external_id=f"person-{n}", created_at=now, updated_at=now) for n in range(PEOPLE)]
    return [contact.pk for contact in Contact.objects.bulk_create(made)]


def _make_list(slug: str, now: datetime) -> None:
    lists.create(slug=slug, name=slug, now=now)


def _publish(definition: Mapping[str, Any]) -> None:
    transactions.run(lambda now: publishing.save_draft(definition=dict(definition), now=now))
    transactions.run(lambda now: publishing.publish(slug=SLUG, by="test", now=now))


def _jobs(deed: Deed, key: str, contact_id: int) -> list[Job]:
    """As often as it is delivered. An event has a key; what is set twice is set once, unless a step came between."""
    work = partial(transactions.run, partial(_do, deed, key, contact_id))
    if deed.kind == "track":
        return [Job(f"track {deed.value}", work, is_repeated=True)] * deed.delivered
    return [Job(f"{deed.kind} {deed.value}", work, is_repeated=True, is_once=True)]


def _do(deed: Deed, key: str, contact_id: int, now: Any) -> None:
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


def _compare(
    play: Play,
    definition: Mapping[str, Any],
    deeds: list[Deed],
    later: Mapping[int, Mapping[str, Any]],
    people: list[int],
) -> None:
    assigned: dict[int, dict[str, str]] = {}
    for contact_id, experiment, variant in play.ask(
        "SELECT contact_id, experiment, variant FROM experiment_assignments"
    ):
        assigned.setdefault(contact_id, {})[experiment] = variant
    found: dict[int, list[Any]] = {}
    for contact_id, reason, seconds, path in play.ask(_WAYS, [BEGINNING + timedelta(seconds=60)]):
        found.setdefault(contact_id, []).append((reason, _whole(seconds), [tuple(row) for row in path]))
    for person, contact_id in enumerate(people):
        plain = oracle.Person(definition, TRIGGER, assigned.get(contact_id, {}).__getitem__)
        for number, deed in enumerate(deeds):
            if number in later:
                plain.publish(later[number])
            if deed.person == person:
                plain.deed(deed)
        plain.rest()
        expected = [(stay.end, stay.finished, stay.path) for stay in plain.stays]
        if found.get(contact_id, []) != expected:
            play.faults.append(
                f"contact {contact_id} went {found.get(contact_id, [])}, and should have gone {expected}"
            )


def _whole(seconds: float | None) -> int | None:
    """An instant lasts less than a second of the virtual clock, and none begins before its time."""
    return None if seconds is None else int(seconds // 1)
