"""The pressure page: who competes for the places under the frequency cap, who was displaced by whom, how many messages
people get in a week, who goes without most often, and what another cap would have done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import urlencode

from contacts import clock
from contacts.pages import floors
from contacts.pages.contacts import names_of
from delivery import allowances, caps, pressure
from delivery.allowances import Outcome
from delivery.caps import Cap
from delivery.pressure import Asked, Displaced, Displacement, Pressed, Span, Spread
from workflows.models import Workflow

RANGES = (1, 7, 14, 30)
USUAL = 7
CHANNELS = {"email": "Email", "sms": "SMS", "push": "Push"}
PAGE = 25
JOURNEYS_ACROSS = 8  # columns of the table of who displaced whom: the journeys that displaced most
WEEKS_TRIED = 8  # messages a week, from 1 on
MOST_MESSAGES = 10  # bars of the spread; the last is that many and more
NO_JOURNEY = "No journey"


@dataclass(frozen=True)
class Competitor:
    """A journey: what it asked for, and how many messages of others (and of its own) it displaced."""

    workflow_id: int
    name: str
    url: str
    asked: Asked
    displaced: int


@dataclass(frozen=True)
class Cell:
    """How many messages of the row's journey found a place taken by the column's. `tone`: 0 to 4, of the most."""

    count: int
    tone: int
    link: str
    said: str


@dataclass(frozen=True)
class Row:
    name: str
    url: str
    cells: Sequence[Cell]


@dataclass(frozen=True)
class Bar:
    """So many contacts got so many messages. `width`: of the widest bar, in hundredths."""

    label: str
    contacts: int
    share: float
    width: float


@dataclass(frozen=True)
class Tried:
    """What another cap would have done; `is_now`: it is the one that is in force."""

    outcome: Outcome
    is_now: bool
    width: float


@dataclass(frozen=True)
class Asker:
    """What the address asks for; anything else in it means the usual."""

    days: int
    channel: str
    page: int
    displaced: int | None  # the journey whose skipped messages are to be listed
    by: int | None  # and the one that displaced them; None: nobody did
    what_if: bool

    @classmethod
    def of(cls, request: HttpRequest) -> Asker:
        given = request.GET
        days = _number(given.get("days", ""))
        return cls(
            days=days if days in RANGES else USUAL,
            channel=given.get("channel", "") if given.get("channel") in CHANNELS else "email",
            page=max(1, min(_number(given.get("page", "")) or 1, 4000)),
            displaced=_number(given.get("displaced", "")),
            by=_number(given.get("by", "")),
            what_if="what-if" in given,
        )

    def address(self, **more: Any) -> str:
        asked: dict[str, Any] = {"days": self.days, "channel": self.channel} | more
        return f"{reverse('admin:analytics_counter_pressure')}?{urlencode(asked)}"


def page(request: HttpRequest, site: AdminSite) -> HttpResponse:
    if not request.user.has_perm("delivery.view_message"):
        raise PermissionDenied
    asker, now = Asker.of(request), clock.now()
    span = pressure.span(days=asker.days, channel=asker.channel, now=now)
    competition, matrix = pressure.competition(span), pressure.displacements(span)
    journeys = _names(
        {id for id, _ in competition.journeys} | {d.workflow_id for d in matrix} | {d.by for d in matrix if d.by}
    )
    pressed = pressure.pressed(span, offset=(asker.page - 1) * PAGE, limit=PAGE + 1)
    context = {
        **site.each_context(request),
        "title": "Pressure",
        "crumbs": [("Pressure", "")],
        "now": now,
        "span": span,
        "asker": asker,
        "ranges": [(n, asker.address(days=n), n == asker.days) for n in RANGES],
        "channels": [(words, asker.address(channel=c), c == asker.channel) for c, words in CHANNELS.items()],
        "channel_words": CHANNELS[asker.channel],
        "cap": caps.installations(asker.channel),
        "speed": settings.TIME_SPEED,
        "total": competition.total,
        "topics": competition.topics,
        "competitors": competitors(competition.journeys, matrix, journeys),
        **who_displaced_whom(matrix, journeys, asker),
        "most_matched": pressure.MOST_MATCHED,
        "spread": bars(pressure.spread(channel=asker.channel, now=now)),
        "pressed": _people(pressed[:PAGE], request),
        "older": asker.address(page=asker.page + 1) if len(pressed) > PAGE else "",
        "newer": asker.address(page=asker.page - 1) if asker.page > 1 else "",
        "what_if_address": asker.address(**{"what-if": 1}) + "#what-if",
        **(_behind(span, asker, journeys) if asker.displaced is not None else {}),
        **(_what_if(span) if asker.what_if else {}),
    }
    return TemplateResponse(request, "admin/analytics/pressure.html", context)


def competitors(
    asked: Sequence[tuple[int, Asked]], matrix: Sequence[Displacement], journeys: Mapping[int, tuple[str, str]]
) -> list[Competitor]:
    """In the order in which they were skipped most. Those that only passed without asking are left out."""
    displaced: dict[int, int] = {}
    for each in matrix:
        if each.by is not None:
            displaced[each.by] = displaced.get(each.by, 0) + each.messages
    return [Competitor(id, *_name(journeys, id), counts, displaced.get(id, 0)) for id, counts in asked if counts.asked]


def who_displaced_whom(
    matrix: Sequence[Displacement], journeys: Mapping[int, tuple[str, str]], asker: Asker
) -> dict[str, Any]:
    """The matrix: a row for each journey that went without, a column for each of those that displaced most, and one for
    what nobody displaced."""
    by: dict[int | None, int] = {}
    cells: dict[tuple[int, int | None], int] = {}
    for each in matrix:
        by[each.by] = by.get(each.by, 0) + each.messages
        cells[each.workflow_id, each.by] = each.messages
    most = sorted((id for id in by if id is not None), key=lambda id: (-by[id], id))
    across: list[int | None] = [*most[:JOURNEYS_ACROSS], *([None] if None in by else [])]
    top = max(cells.values(), default=0)

    def cell(row: int, column: int | None) -> Cell:
        count = cells.get((row, column), 0)
        link = asker.address(displaced=row, **({} if column is None else {"by": column})) + "#behind"
        said = f"{_name(journeys, row)[0]}, displaced by {_by(journeys, column)}: {count:,}"
        return Cell(count, -(-4 * count // top) if top else 0, link if count else "", said)

    rows = list(dict.fromkeys(each.workflow_id for each in matrix))
    return {
        "columns": [(_by(journeys, id), _name(journeys, id)[1] if id is not None else "") for id in across],
        "rows": [Row(*_name(journeys, id), [cell(id, column) for column in across]) for id in rows],
        "left_out": max(0, len(most) - JOURNEYS_ACROSS),
    }


def bars(spread: Spread) -> dict[str, Any]:
    """The spread as bars from no message on, and its average."""
    counts: dict[int, int] = {}
    for messages, contacts in spread.contacts:
        key = min(messages, MOST_MESSAGES)
        counts[key] = counts.get(key, 0) + contacts
    top, total = max(counts.values(), default=0), spread.total
    shown = [
        Bar(
            label=f"{n}{' or more' if n == MOST_MESSAGES else ''}",
            contacts=counts.get(n, 0),
            share=counts.get(n, 0) / total if total else 0.0,
            width=round(100 * counts.get(n, 0) / top, 1) if top else 0.0,
        )
        for n in range(max(counts, default=0) + 1)
    ]
    messages = sum(each * contacts for each, contacts in spread.contacts)
    return {"bars": shown, "total": total, "average": messages / total if total else 0.0, "sample": spread.is_sample}


def _what_if(span: Span) -> dict[str, Any]:
    """One to WEEKS_TRIED messages a week, with as many a day as now, and no limit at all."""
    now = caps.installations(span.channel)
    tried = [Cap(now.per_day, n) for n in range(1, WEEKS_TRIED + 1)]
    tried = [*tried, *([now] if now not in tried else []), *([Cap(None, None)] if now != Cap(None, None) else [])]
    outcomes = allowances.what_if(span, instead=tried)
    asked = max((each.asked for each in outcomes), default=0)
    return {
        "tried": [
            Tried(each, each.cap == now, round(100 * each.sent / asked, 1) if asked else 0.0) for each in outcomes
        ],
        "asked_again": asked,
    }


def _behind(span: Span, asker: Asker, journeys: Mapping[int, tuple[str, str]]) -> dict[str, Any]:
    """The messages behind one number of the matrix, each with those that held its places."""
    row = asker.displaced or 0
    found = pressure.displaced(span, workflow_id=row, by=asker.by, limit=PAGE)
    people = names_of({each.contact_id for each in found})
    slugs = dict(Workflow.objects.filter(pk=row).values_list("pk", "slug"))
    return {
        "behind": [(each, people.get(each.contact_id, f"Contact {each.contact_id}"),
                    _holders(each, journeys), _why(each.contact_id, slugs.get(row, ""))) for each in found],
        "behind_row": _name(journeys, row)[0],
        "behind_by": _by(journeys, asker.by),
        "behind_most": PAGE,
    }  # fmt: skip


def _holders(each: Displaced, journeys: Mapping[int, tuple[str, str]]) -> list[tuple[str, str]]:
    return [
        (_name(journeys, workflow)[0], reverse("admin:delivery_message_change", args=[message]))
        for message, workflow in each.holders
    ]


def _people(found: Sequence[Pressed], request: HttpRequest) -> list[tuple[Pressed, str, str]]:
    """With their names, and the page that says why."""
    people = names_of({each.contact_id for each in found})
    slugs = dict(Workflow.objects.filter(pk__in={each.last_workflow_id for each in found}).values_list("pk", "slug"))
    return [
        (
            each,
            people.get(each.contact_id, f"Contact {each.contact_id}"),
            _why(each.contact_id, slugs.get(each.last_workflow_id, ""))
            if request.user.has_perm("workflows.view_enrolment")
            else "",
        )
        for each in found
    ]


def _why(contact_id: int, slug: str) -> str:
    page = reverse("admin:workflows_enrolment_why", args=[contact_id])
    return f"{page}?{urlencode({'workflow': slug})}" if slug else page


def _names(ids: set[int]) -> dict[int, tuple[str, str]]:
    """Name and page of each journey."""
    return {id: (name.text, name.url) for id, name in floors.names("workflow", [id for id in ids if id]).items()}


def _name(journeys: Mapping[int, tuple[str, str]], id: int) -> tuple[str, str]:
    return journeys.get(id) or (NO_JOURNEY if id == 0 else f"Journey {id}", "")


def _by(journeys: Mapping[int, tuple[str, str]], id: int | None) -> str:
    return "nobody: the cap leaves no place" if id is None else _name(journeys, id)[0]


def _number(asked: str) -> int | None:
    return int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 18 else None
