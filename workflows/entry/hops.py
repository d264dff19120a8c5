"""How far a chain of journeys has come: a journey that emits an event, which starts a journey, which emits … would go
round for ever. `via` names the journeys that led here, the last one last; `hops` is how many journeys and calls to the
servers of others came before them (`contacts.hops`). Both travel with the entry request, or in the context of our own
events, into `trigger.via` and `trigger.hops`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

from django.conf import settings

from contacts import durations, hops

MOST = hops.MOST
_HOPS, _VIA = "hops", "via"


def via(trigger: Mapping[str, Any]) -> tuple[str, ...]:
    """The slugs of the journeys that led to this enrolment, the first one first."""
    return hops.names(trigger.get(_VIA))


def _before(trigger: Mapping[str, Any]) -> int:
    return hops.stated({hops.KEY: trigger.get(_HOPS)})


def count(trigger: Mapping[str, Any]) -> int:
    """How many journeys and calls led to this enrolment."""
    return _before(trigger) + len(via(trigger))


def is_too_long(trigger: Mapping[str, Any]) -> bool:
    """Whether nothing may enter with this trigger: nobody of ours lets a chain become so long."""
    return count(trigger) > MOST


def onward(trigger: Mapping[str, Any], slug: str) -> list[str] | None:
    """What to give to whatever the journey `slug` starts; None where the chain is long enough."""
    return None if count(trigger) >= MOST else [*via(trigger), slug]


def context(trigger: Mapping[str, Any], slug: str) -> dict[str, Any]:
    """Of an event that the journey `slug` brings about, however long the chain is: intake ends it."""
    before = _before(trigger)
    return {hops.VIA: [*via(trigger), slug], **({hops.KEY: before} if before else {})}


def of_fact(trigger: Mapping[str, Any], slug: str, now: datetime) -> dict[str, Any]:
    """The same of what the journey changes in a contact: a tag, a list, a stage. Who changes it again after a day means
    it (a journey that waits a week and begins anew is no flood), so the journeys before are not counted then. What came
    over other servers is: only they know when."""
    entered, a_day = trigger.get("occurred_at"), durations.window("P1D", speed=settings.TIME_SPEED)
    if isinstance(entered, str) and not _before(trigger) and datetime.fromisoformat(entered) <= now - a_day:
        return {hops.VIA: [slug]}
    return context(trigger, slug)


def header(trigger: Mapping[str, Any]) -> dict[str, str]:
    """Of a call that an enrolment with this trigger makes: its journey is one more hop."""
    return hops.header(count(trigger) + 1)


def led_here(journeys: tuple[str, ...], before: int) -> dict[str, Any]:
    """What a trigger says of its chain: nothing where it begins one."""
    return {**({_VIA: list(journeys)} if journeys else {}), **({_HOPS: before} if before else {})}


def stored(journeys: str | None, before: str | None) -> dict[str, Any]:
    """The same of what the context of an event holds, as JSON; None where it holds nothing."""
    if journeys is None and before is None:
        return {}
    return led_here(hops.names(json.loads(journeys or "null")), hops.stated({hops.KEY: json.loads(before or "null")}))


def kept(trigger: Mapping[str, Any]) -> dict[str, Any]:
    """The same of a trigger that says it already."""
    return led_here(via(trigger), _before(trigger))


def leading(facts: Iterable[tuple[int, Mapping[str, Any]]]) -> AbstractContextManager[None]:
    """While these facts are recorded: of whom, and the `context` of what brings them about. Where two journeys bring
    facts of the same contact about at once, the longer chain holds for both."""
    longest: dict[int, Mapping[str, Any]] = {}
    for contact_id, said in facts:
        so_far = longest.setdefault(contact_id, said)
        if hops.count(said, own=True) > hops.count(so_far, own=True):
            longest[contact_id] = said
    return hops.leading(longest)
