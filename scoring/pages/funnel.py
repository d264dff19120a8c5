"""The funnel of stages, and who is in each of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse

from contacts import clock, transactions
from contacts.models import Contact
from contacts.pages.changelists import ReadOnlyAdmin
from contacts.pages.contacts import full_name
from scoring.lifecycle import current, funnel, stages, wording
from scoring.lifecycle.funnel import Funnel, StageFigures

DAYS = (7, 30, 90, 365)
USUAL = 90
FIRST_DAY = date(2000, 1, 1)
WAYS = {
    "": "Any way",
    "rule": "By a rule",
    "workflow": "By a journey",
    "admin": "By hand",
    "api": "Over the API",
    "import": "By an import",
}
SHOWN = 50


@dataclass(frozen=True)
class Period:
    """`since` to before `until`; `days` is 0 where two dates were chosen."""

    since: datetime
    until: datetime
    days: int


@dataclass(frozen=True)
class Row:
    """A stage as it is shown. Widths are shares of the widest bar, of 100."""

    figures: StageFigures
    label: str
    url: str
    now_width: float
    came_width: float
    on_width: float
    conversion: str
    median: str
    p90: str


def funnel_view(request: HttpRequest, of: ReadOnlyAdmin) -> HttpResponse:
    """`?days=`, or `?since=` and `?until=` (dates, the last day included), and `?way=`."""
    if not of.has_view_permission(request):
        raise PermissionDenied
    now = clock.now()
    period = _period(request, now)
    way = request.GET.get("way", "")
    way = way if way in WAYS else ""
    found = transactions.run(lambda _: funnel.read(since=period.since, until=period.until, way=way))
    context = {
        **of.admin_site.each_context(request),
        "opts": of.opts,
        "title": "Funnel",
        "crumbs": of.crumbs("Funnel"),
        "tab": "funnel",
        "rows": _rows(found),
        "complete": found.complete,
        "estimated": found.estimated,
        "nobody": not any(figures.now or figures.came for figures in found.stages),
        "period": period,
        "last_day": (period.until - timedelta(microseconds=1)).date(),
        "way": way,
        "way_words": WAYS[way].lower() if way else "",
        "ranges": [(days, _url(request, days=days), days == period.days) for days in DAYS],
        "ways": [(words, _url(request, way=key), key == way) for key, words in WAYS.items()],
        "now": now,
    }
    return TemplateResponse(request, "admin/scoring/funnel.html", context)


def stage_view(request: HttpRequest, of: ReadOnlyAdmin, stage: str) -> HttpResponse:
    """Who is in a stage now, those who came last first; `?before=` is the cursor of the next page."""
    if stage not in stages.STAGES:
        raise Http404("There is no such stage")
    if not of.has_view_permission(request) or not request.user.has_perm("contacts.view_contact"):
        raise PermissionDenied
    page = current.members(stage, before=_cursor(request.GET.get("before", "")), limit=SHOWN)
    people = Contact.objects.in_bulk([member.contact_id for member in page.members])
    context = {
        **of.admin_site.each_context(request),
        "opts": of.opts,
        "title": stages.label(stage),
        "crumbs": [*of.crumbs(), ("Funnel", reverse("admin:scoring_lifecycleevent_funnel")), (stages.label(stage), "")],
        "tab": "funnel",
        "stage": stages.label(stage),
        "count": current.counts().get(stage, 0),
        "members": [
            {
                "id": member.contact_id,
                "shown": str(people[member.contact_id]),
                "name": full_name(people[member.contact_id]),
                "since": member.since,
                "reason": member.reason,
                "way": wording.way(member.source, member.actor),
            }
            for member in page.members
            if member.contact_id in people
        ],
        "before": "" if page.before is None else f"{page.before[0].isoformat()}~{page.before[1]}",
    }
    return TemplateResponse(request, "admin/scoring/stage.html", context)


def _rows(found: Funnel) -> list[Row]:
    names = stages.labels()
    most_now = max((figures.now for figures in found.stages), default=0) or 1
    most_came = max((figures.came for figures in found.stages), default=0) or 1
    return [
        Row(
            figures=figures,
            label=names[figures.stage],
            url=reverse("admin:scoring_lifecycleevent_stage", args=[figures.stage]),
            now_width=round(100 * figures.now / most_now, 2),
            came_width=round(100 * figures.came / most_came, 2),
            on_width=round(100 * figures.went_on / most_came, 2) if figures.conversion is not None else 0,
            conversion="–" if figures.conversion is None else f"{figures.conversion:.1%}",
            median=wording.span(figures.median),
            p90=wording.span(figures.p90),
        )
        for figures in found.stages
    ]


def _period(request: HttpRequest, now: datetime) -> Period:
    """What cannot be read is as if it had not been asked for."""
    since, until = _day(request.GET.get("since", "")), _day(request.GET.get("until", ""))
    if since and until and FIRST_DAY <= since <= until <= now.date() + timedelta(days=1):
        return Period(_midnight(since), _midnight(until + timedelta(days=1)), 0)
    asked = request.GET.get("days", "")
    days = int(asked) if asked in {str(days) for days in DAYS} else USUAL
    return Period(_midnight(now.date() - timedelta(days=days - 1)), _midnight(now.date() + timedelta(days=1)), days)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=UTC)


def _url(request: HttpRequest, **changed: Any) -> str:
    kept = {key: request.GET[key] for key in ("days", "since", "until", "way") if request.GET.get(key)}
    if "days" in changed:
        kept = {key: value for key, value in kept.items() if key == "way"}
    asked = {key: value for key, value in {**kept, **changed}.items() if value}
    return f"?{urlencode(asked)}"


def _cursor(text: str) -> tuple[datetime, int] | None:
    """Instant and contact id; None for the first page, and for what is no cursor."""
    at, _, contact_id = text.partition("~")
    if not (contact_id.isascii() and contact_id.isdigit() and len(contact_id) < 19):
        return None
    try:
        since = datetime.fromisoformat(at)
    except ValueError:
        return None
    return (since, int(contact_id)) if since.tzinfo else None
