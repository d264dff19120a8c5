"""What was filled in at "Test contact", as a trial."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import QueryDict

from contacts import wall_clock
from contacts.models import Contact
from workflows.definition import reading
from workflows.definition.sentences import mapping
from workflows.models import Workflow
from workflows.trying.asked import MOST_EVENTS, NOTHING, CannotTry, Happening, Trial

LONGEST = 10_000  # characters of a field
FARTHEST = timedelta(days=3660)  # of an entry, from now
_TIMES = {"M": "PT{}M", "H": "PT{}H", "D": "P{}D"}


def read(workflow: Workflow, data: QueryDict, *, contact_id: int | None, now: datetime) -> Trial:
    """Raises CannotTry."""
    invented = {} if contact_id is not None else _invented(data)
    zone = _zone(workflow, contact_id, invented)
    return Trial(
        workflow_id=workflow.pk,
        slug=workflow.slug,
        definition=workflow.draft,
        at=_entry(_text(data, "at"), zone, now),
        contact_id=contact_id,
        invented=invented,
        properties=_pairs(_text(data, "properties"), "What the event says"),
        habit=_text(data, "habit") or NOTHING,
        happenings=_happenings(data),
        anyway="anyway" in data,
    )


def _invented(data: QueryDict) -> dict[str, Any]:
    """As `setting.person_of` reads people. What is not said is left out."""
    said: dict[str, Any] = {name: _text(data, name) for name in ("email", "phone", "timezone") if _text(data, name)}
    if attributes := _pairs(_text(data, "attributes"), "Attributes"):
        said["attributes"] = attributes
    if tags := [tag for each in _text(data, "tags").split(",") if (tag := each.strip())]:
        said["tags"] = tags
    if (marketing := _text(data, "marketing")) in ("granted", "denied"):
        said["consents"] = {"marketing": marketing}
    return said


def _zone(workflow: Workflow, contact_id: int | None, invented: Mapping[str, Any]) -> ZoneInfo:
    theirs = str(invented.get("timezone", ""))
    if contact_id is not None:
        theirs = Contact.objects.values_list("timezone", flat=True).get(pk=contact_id) or ""
    default = mapping(workflow.draft.get("settings")).get("default_timezone")
    return wall_clock.choose_zone(theirs, default if isinstance(default, str) else "", settings.DEFAULT_TIMEZONE)


def _entry(text: str, zone: ZoneInfo, now: datetime) -> datetime:
    """What a clock of theirs shows when they enter; nothing: now."""
    if not text:
        return now
    try:
        naive = datetime.fromisoformat(text).replace(tzinfo=None)
        at = wall_clock.instant_of(naive.date(), naive.time(), zone).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise CannotTry("Say when they enter with a date and a time.") from error
    if abs(at - now) > FARTHEST:
        raise CannotTry("Let them enter within ten years of now.")
    return at


def _happenings(data: QueryDict) -> tuple[Happening, ...]:
    rows = zip(data.getlist("event"), data.getlist("after"), data.getlist("unit"), strict=False)
    found = []
    for event, after, unit in list(rows)[: MOST_EVENTS + 1]:
        if not event.strip():
            continue
        number = after.strip() or "0"
        if not number.isdecimal() or len(number) > 5 or unit not in _TIMES:
            raise CannotTry(f"Say after how long “{event.strip()[:80]}” happens, in whole numbers.")
        found.append(Happening(event.replace("\0", "").strip(), _TIMES[unit].format(int(number))))
    return tuple(found)


def _pairs(text: str, called: str) -> dict[str, Any]:
    """Lines such as `plan: trial`, or a JSON object."""
    if not text:
        return {}
    try:
        found = reading.read(text)
    except reading.UnreadableFile as error:
        raise CannotTry(f"{called}: one on each line, such as “plan: trial”.") from error
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
        raise CannotTry(f"{called}: one on each line, such as “plan: trial”.")
    return found


def _text(data: QueryDict, name: str) -> str:
    return str(data.get(name, "")).replace("\0", "").strip()[:LONGEST]
