"""Playing facts: each goes through the door by which it once came."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import groupby

from django.db import connection

from contacts import changes, clock, consent, events, transactions, upserting
from contacts.audiences import lists, tags
from contacts.audiences.lists import Place
from contacts.audiences.tags import Tagging
from contacts.changes import Change
from contacts.collect.parsing import parse_instant
from contacts.consent import Consent
from contacts.events import NewEvent
from contacts.upserting import FIELDS, Person
from delivery import addresses, suppression
from delivery.public import unsubscribing
from delivery.suppression import NewSuppression
from delivery.webhooks import feedback, vocabulary
from delivery.webhooks.base import Report
from delivery.webhooks.feedback import Sourced
from scoring.lifecycle import stages
from workflows import serializable
from workflows.entry import entering, hops
from workflows.models import Enrolment
from workflows.rehearsal import filling
from workflows.rehearsal.asked import Asked, Piece
from workflows.rehearsal.facts import Fact
from workflows.rehearsal.reading import Scope
from workflows.scratch import Scratch
from workflows.watches import exits

_NAMING = frozenset({"external_id", "email", "phone"})
PATIENCE = timedelta(hours=1)  # for the message that a feedback is about: it may be sent a little later than it was


@dataclass
class Stage:
    """Where facts are played, and what is still to be told."""

    room: Scratch
    asked: Asked
    piece: Piece
    scope: Scope
    early: list[Fact] = field(default_factory=list)  # feedback whose message is not there yet
    unmatched: int = 0  # feedback that found no message


def play(stage: Stage, facts: Sequence[Fact]) -> None:
    """Play facts of one moment, in their order; those of one kind that come together share a transaction."""
    for kind, some in groupby(facts, key=lambda fact: fact.kind):
        _DOORS[kind](stage, list(some))


def write_quietly(stage: Stage, facts: Sequence[Fact]) -> None:
    """Rows that nothing follows from: events that are only asked for, and what counts for frequency caps."""
    ids = {kind: [fact.id for fact in facts if fact.kind == kind] for kind in ("quiet", "counted")}
    if ids["quiet"]:
        stage.room.carry(
            _QUIET.replace("{at}", f"{stage.asked.clock}_at"),
            {"ids": ids["quiet"], "a": min(fact.at for fact in facts), "b": max(fact.at for fact in facts)},
        )
    if ids["counted"]:
        about = [fact.detail["message_id"] for fact in facts if fact.kind == "counted"]
        filling.copy(stage.room, "messages", "id = ANY(%(ids)s)", {"ids": about})
        filling.copy(stage.room, "contact_send_log", "id = ANY(%(ids)s)", {"ids": ids["counted"]})


_QUIET = """
    INSERT INTO {double}.contact_events (id, contact_id, recorded_contact_id, type, occurred_at, recorded_at,
                                         properties, context, source, processed, key_hash)
    SELECT e.id, e.contact_id, e.recorded_contact_id, e.type, e.occurred_at, e.{at}, e.properties, e.context, e.source,
           e.processed, e.key_hash
      FROM contact_events e WHERE e.id = ANY(%(ids)s) AND e.{at} >= %(a)s AND e.{at} <= %(b)s
"""


def _arrived(stage: Stage, facts: list[Fact]) -> None:
    people = sorted({fact.id for fact in facts})
    filling.admit(stage.room, stage.asked, stage.piece, stage.scope, people)
    transactions.run(lambda now: changes.tell(people, {"created", "attribute", "field"}, now))


def _events(stage: Stage, facts: list[Fact]) -> None:
    """What was let in then is let in now: `own` spares it the question of consent, which was answered."""
    for source, some in groupby(facts, key=lambda fact: str(fact.detail["source"])):
        new = [
            NewEvent(
                type=fact.detail["type"],
                occurred_at=_instant(fact.detail["occurred_at"]),
                contact=fact.contact_id or 0,
                properties=fact.detail["properties"],
                context={name: value for name, value in fact.detail["context"].items() if name != "consent"},
                key=f"rehearsed:{fact.id}",
                own=True,
            )
            for fact in some
        ]
        lane = "bulk" if source == "import" else "urgent"
        transactions.run(partial(_record, new, source=source, lane=lane))


def _record(new: Sequence[NewEvent], now: datetime, *, source: str, lane: str) -> None:
    events.record_batch(new, source=source, now=now, lane=lane)


def _changes(stage: Stage, facts: list[Fact]) -> None:
    for (kind, source), some in groupby(facts, key=lambda fact: (fact.detail["kind"], fact.detail["source"])):
        transactions.run(partial(_CHANGES[kind], list(some), source))


def _tag(facts: list[Fact], source: str, now: datetime) -> None:
    for added, some in groupby(facts, key=lambda fact: fact.detail["new"] is True):
        taggings = [Tagging(fact.contact_id or 0, fact.detail["name"], source) for fact in some]
        (tags.add_tags if added else tags.remove_tags)(taggings, now=now)


def _list(facts: list[Fact], source: str, now: datetime) -> None:
    for joined, some in groupby(facts, key=lambda fact: fact.detail["new"] is True):
        places = [Place(fact.contact_id or 0, fact.detail["name"], source) for fact in some]
        (lists.join if joined else lists.leave)(places, now=now)


def _attribute(facts: list[Fact], source: str, now: datetime) -> None:
    _say([(fact, Person(fields={}, attributes={fact.detail["name"]: fact.detail["new"]})) for fact in facts], source)


def _field(facts: list[Fact], source: str, now: datetime) -> None:
    """Names are written as they were: who somebody is was decided long ago."""
    known = [fact for fact in facts if fact.detail["name"] in {*FIELDS, upserting.CAP}]
    said = [(f, Person(fields={f.detail["name"]: f.detail["new"]})) for f in known if f.detail["name"] not in _NAMING]
    _say(said, source)
    for fact in known:
        name = fact.detail["name"]
        if name in _NAMING:
            with connection.cursor() as cursor:
                cursor.execute(
                    f"UPDATE contacts c SET {name} = %s, updated_at = %s WHERE c.id = %s",
                    [fact.detail["new"] or "", now, fact.contact_id],
                )
            changes.append([Change(fact.contact_id or 0, "field", name, None, fact.detail["new"])],
                           source=source, now=now)  # fmt: skip


def _say(said: list[tuple[Fact, Person]], source: str) -> None:
    here = _here([fact.contact_id or 0 for fact, _ in said])
    said = [each for each in said if each[0].contact_id in here]
    if said:
        people = [person for _, person in said]
        upserting.say([fact.contact_id or 0 for fact, _ in said], people, source=source, now=clock.now())


def _here(contact_ids: Sequence[int]) -> set[int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM contacts WHERE id = ANY(%s)", [list(contact_ids)])
        return {contact_id for (contact_id,) in cursor.fetchall()}


_CHANGES: Mapping[str, Callable[[list[Fact], str, datetime], None]] = {
    "tag": _tag,
    "list": _list,
    "attribute": _attribute,
    "field": _field,
}


def _consents(stage: Stage, facts: list[Fact]) -> None:
    here = _here([fact.contact_id or 0 for fact in facts])
    for source, some in groupby(facts, key=lambda fact: str(fact.detail["source"])):
        said = [
            Consent(f.contact_id or 0, f.detail["category"], f.detail["state"], f.detail["topic"])
            for f in some
            if f.contact_id in here
        ]
        transactions.run(partial(_agree, said, source))


def _agree(said: Sequence[Consent], source: str, now: datetime) -> None:
    consent.record(said, source=source, now=now)


def _stages(stage: Stage, facts: list[Fact]) -> None:
    for fact in facts if stage.scope.scores else ():
        transactions.run(partial(_move, fact))


def _move(fact: Fact, now: datetime) -> None:
    said = fact.detail
    stages.move(
        contact_ids=[fact.contact_id or 0], to_stage=said["to"], reason=said["reason"], source=said["source"], now=now
    )


def _asked_in(stage: Stage, facts: list[Fact]) -> None:
    def work() -> None:
        now = clock.now()
        standing = entering.standings([stage.piece.workflow_id])[stage.piece.workflow_id]
        assert standing.version is not None
        wanted = []
        for fact in facts:
            trigger = fact.detail["trigger"]
            made = entering.candidate(
                standing.version,
                fact.contact_id or 0,
                kind=trigger["type"],
                properties=trigger.get("properties") or {},
                lane=fact.detail["lane"],
                now=now,
            )
            wanted.append(replace(made, trigger={**made.trigger, **hops.kept(trigger)}))
        entering.enter(wanted, now=now)

    serializable.run(work)


def _taken_out(stage: Stage, facts: list[Fact]) -> None:
    people = [fact.contact_id or 0 for fact in facts]
    unfinished = Enrolment.objects.filter(workflow=stage.piece.workflow_id, contact_id__in=people, finished_at=None)
    ids = sorted(unfinished.values_list("pk", flat=True))
    transactions.run(lambda now: exits.leave(ids, reason="manually_removed", now=now))


def _feedback(stage: Stage, facts: list[Fact]) -> None:
    """By journey, step and contact: the n-th message then is the n-th message now."""
    for fact in facts:
        mid, address = _message(stage, fact)
        if mid is None:
            stage.early.append(fact)
        else:
            _tell(fact, mid, address)


def tell_the_early(stage: Stage) -> None:
    """Feedback that came before its message; what finds none for too long is let go."""
    waiting, stage.early = stage.early, []
    for fact in waiting:
        if fact.at + PATIENCE < stage.room.now:
            stage.unmatched += 1
        else:
            _feedback(stage, [fact])


def _message(stage: Stage, fact: Fact) -> tuple[str | None, str]:
    rows = stage.room.ask(
        "SELECT m.public_id::text, c.email FROM messages m JOIN contacts c ON c.id = m.contact_id"
        "  LEFT JOIN outbox o ON o.message_id = m.id"
        " WHERE m.contact_id = %s AND m.workflow_id = %s AND m.step = %s AND m.enrolment_id IS NOT NULL"
        "   AND m.id > %s AND o.message_id IS NULL ORDER BY m.id OFFSET %s LIMIT 1",
        [fact.contact_id, stage.piece.workflow_id, fact.detail["step"], filling.AHEAD, fact.detail["nth"] - 1],
    )
    return rows[0] if rows else (None, "")


def _tell(fact: Fact, mid: str, address: str) -> None:
    said = fact.detail
    if said["kind"] == vocabulary.UNSUBSCRIBED and said["provider"] == "carillon":
        unsubscribing.unsubscribe(unsubscribing.token_of(mid), source="one_click", now=clock.now())
        return
    report = Report(
        mid=mid,
        kind=said["kind"],
        occurred_at=_instant(said["occurred_at"]),
        address=address,
        is_machine=said["is_machine"],
        detail={name: value for name, value in said["detail"].items() if name != "address_id"},
        dedup=hashlib.sha256(f"rehearsed:{fact.id}".encode()).digest(),
        consequence=vocabulary.CONSEQUENCES.get(said["kind"]),
    )
    transactions.run(lambda now: feedback.fold([Sourced(report, said["provider"], "rehearsal")], now=now))


def _suppressed(stage: Stage, facts: list[Fact]) -> None:
    def work(now: datetime) -> None:
        known = {row[0] for row in stage.room.ask("SELECT id FROM addresses WHERE id = ANY(%s)", [ids])}
        addresses.lock(known)
        suppression.record(
            [
                NewSuppression(f.detail["address_id"], f.detail["scope"], f.detail["reason"], f.detail["source"])
                for f in facts
                if f.detail["address_id"] in known
            ],
            now=now,
        )

    ids = [fact.detail["address_id"] for fact in facts]
    filling.copy(stage.room, "addresses", "id = ANY(%(ids)s)", {"ids": ids})
    transactions.run(work)


def _released(stage: Stage, facts: list[Fact]) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(
            "UPDATE suppressions SET released_at = %s, released_by = 'rehearsal'"
            " WHERE address_id = %s AND scope = %s AND reason = %s AND released_at IS NULL",
            [(f.at, f.detail["address_id"], f.detail["scope"], f.detail["reason"]) for f in facts],
        )


def _instant(text: str) -> datetime:
    found = parse_instant(text)
    assert isinstance(found, datetime), text
    return found


_DOORS: Mapping[str, Callable[[Stage, list[Fact]], None]] = {
    "arrived": _arrived,
    "consent": _consents,
    "change": _changes,
    "stage": _stages,
    "event": _events,
    "asked_in": _asked_in,
    "taken_out": _taken_out,
    "feedback": _feedback,
    "suppressed": _suppressed,
    "released": _released,
}
