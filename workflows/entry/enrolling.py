"""Adding people by hand, or for another system: single contacts at once, an audience as a run.

Any live workflow takes people who are added, whatever its trigger is: somebody decided it. They pass its audience, its
shares and its re-entry policy as everybody does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from contacts import audit, authority, clock, hops, identity
from contacts.identifiers import Identifiers, fault
from contacts.merged import living_ids
from workflows import serializable, wording
from workflows.entry import entering, entry_runs
from workflows.entry.entering import Standing
from workflows.models import EntryRun, Workflow

UNKNOWN = "unknown_contact"
KINDS = ("manual", "api")


class NotLive(Exception):
    """Only a live workflow takes anybody in."""


class LedHere(Exception):
    """What a journey led to brings in no audience."""


_MAY_ADD = ("workflows.add_entryrun", "workflows.publish_workflow")


@dataclass(frozen=True)
class Asked:
    """Who is meant: by public id, or by a name that a contact has."""

    public_id: UUID | None = None
    identifiers: Identifiers | None = None


@dataclass(frozen=True)
class Answer:
    """`entered` counts. `refused`: (number of the one who was asked for, reason). `repeated`: named the same person as
    one before."""

    entered: int
    refused: tuple[tuple[int, str], ...]
    repeated: int


class _NotMeant(Exception):
    """Rolls a try back, and carries what it would have answered."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer


def enrol(
    people: Sequence[Asked],
    *,
    workflow_id: int,
    kind: str,
    properties: Mapping[str, Any] | None = None,
    lane: str | None = None,
    dry_run: bool = False,
) -> Answer:
    """Enrol these people now, in one SERIALIZABLE transaction of its own. Nobody is created: who is not known is
    refused as UNKNOWN, and who stands at the end of a chain that is too long (`hops.of_request`) as `loop`. `kind`:
    manual · api. `lane` None: the workflow's. `dry_run`: what would be answered, and no
    more. Raises NotLive."""
    authority.require(*_MAY_ADD)

    def work() -> Answer:
        answer = _enrol(people, live(workflow_id), kind=kind, properties=properties or {}, lane=lane)
        if dry_run:
            raise _NotMeant(answer)
        _note(workflow_id, {"entered": answer.entered, "refused": len(answer.refused)})
        return answer

    try:
        return serializable.run(work)
    except _NotMeant as tried:
        return tried.answer


def begin(
    *,
    workflow_id: int,
    audience: Any,
    kind: str,
    by: str,
    now: datetime,
    properties: Mapping[str, Any] | None = None,
    expected: int | None = None,
) -> EntryRun:
    """Bring in everybody for whom the condition `audience` is true, as a run, in the caller's transaction. Raises
    NotAllowed, NotLive, and LedHere where the request passes on a chain: it began with one person, and would be
    multiplied by as many as there are."""
    authority.require(*_MAY_ADD)
    if hops.of_request():
        raise LedHere(f"{hops.HEADER} says that a journey led to this request; it may add people, but no audience")
    version = live(workflow_id).version
    assert version is not None
    run = entry_runs.begin(
        workflow_id=workflow_id,
        version_id=version.id,
        kind=kind,
        audience=audience,
        properties=properties,
        expected=expected,
        by=by,
        now=now,
    )
    _note(workflow_id, {"run": str(run.public_id), "audience": audience, "expected": expected})
    return run


def _note(workflow_id: int, after: dict[str, Any]) -> None:
    slug, name = Workflow.objects.values_list("slug", "name").get(pk=workflow_id)
    audit.note("workflow.people_added", of=("workflow", slug), name=name, after=after)


def live(workflow_id: int) -> Standing:
    """Raises NotLive."""
    standing = entering.standings([workflow_id])[workflow_id]
    if standing.status != "live":
        raise NotLive(f"this workflow is {wording.status(standing.status)}; only a live one takes people in")
    return standing


def _enrol(
    people: Sequence[Asked], standing: Standing, *, kind: str, properties: Mapping[str, Any], lane: str | None
) -> Answer:
    version = standing.version
    assert version is not None
    now = clock.now()
    numbers: dict[int, int] = {}  # contact -> the number of the first who named them
    unknown: list[tuple[int, str]] = []
    for number, contact_id in enumerate(_meant(people)):
        if contact_id is None:
            unknown.append((number, UNKNOWN))
        else:
            numbers.setdefault(contact_id, number)
    done = entering.enter(
        [
            entering.candidate(
                version,
                contact_id,
                kind=kind,
                properties=properties,
                lane=lane or version.definition.settings.lane,
                now=now,
                led_by=hops.of_request(),
            )
            for contact_id in numbers
        ],
        now=now,
    )
    refused = sorted([*unknown, *((numbers[each.contact_id], each.reason) for each in done.refused)])
    return Answer(done.count, tuple(refused), len(people) - len(unknown) - len(numbers))


def _meant(people: Sequence[Asked]) -> list[int | None]:
    """The living contact of each; None: not known. Three statements as a rule."""
    by_id = _by_public_id([each.public_id for each in people if each.public_id is not None])
    named = [each.identifiers for each in people if each.identifiers is not None and is_name(each.identifiers)]
    found = iter(identity.foresee(named)[0] if named else ())
    meant: list[int | None] = []
    for each in people:
        if each.public_id is not None:
            meant.append(by_id.get(each.public_id))
        elif each.identifiers is not None and is_name(each.identifiers):
            contact_id = next(found)
            meant.append(contact_id if contact_id > 0 else None)
        else:
            meant.append(None)
    return meant


def is_name(identifiers: Identifiers) -> bool:
    """Whether somebody could be called so."""
    given = list(identifiers.given())
    return bool(given) and not any(fault(kind, value) for kind, value in given)


def _by_public_id(public_ids: list[UUID]) -> dict[UUID, int]:
    if not public_ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute("SELECT public_id, id FROM contacts WHERE public_id = ANY(%s)", [public_ids])
        found = dict(cursor.fetchall())
    living = living_ids(found.values())
    return {public_id: living[contact_id] for public_id, contact_id in found.items() if contact_id in living}
