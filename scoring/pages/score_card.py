"""The score on a contact's page: at any instant, rule by rule and event by event."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse

from contacts import clock
from contacts.conditions import BadCondition
from contacts.pages import floors
from contacts.pages.floors import Panel
from scoring.lifecycle import stages
from scoring.pages import score_history
from scoring.pages.curve_chart import number
from scoring.projection import explanation
from scoring.projection.explanation import EVENTS_SHOWN, Explanation, RuleShare
from scoring.rulesets import reading, wording
from scoring.rulesets.rules import LEAD, Ruleset

SHOWN_EVENTS = 20  # of each rule
STEP = 60  # seconds between two instants that a field offers
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
FURTHEST = timedelta(days=3650)
NOTHING_AHEAD = "There are no scores at that time: choose one between 2000 and ten years from now."


def panel(*, contact_id: int, now: datetime, asked: Mapping[str, str]) -> Mapping[str, Any]:
    return card(contact_id=contact_id, now=now, asked=asked)


def part(request: HttpRequest, contact_id: int) -> HttpResponse:
    """The card alone, for the page that asks for another instant or another score; the address follows."""
    if not request.user.has_perm("contacts.view_contact"):
        raise PermissionDenied
    shown = card(contact_id=contact_id, now=clock.now(), asked=request.GET)
    answer = TemplateResponse(request, "admin/scoring/score_card.html", {"card": shown})
    answer["HX-Push-Url"] = _address(shown["page"], **_wish(shown))
    return answer


def card(*, contact_id: int, now: datetime, asked: Mapping[str, str]) -> dict[str, Any]:
    """`asked`: `score`, the name of one (else that of leads), and `as_of`, an instant in UTC (else now). The number of
    statements does not grow with events or rules. Raises Http404."""
    rulesets = {ruleset.name: ruleset for ruleset in reading.active_rulesets()}
    name = asked.get("score", LEAD)
    ruleset = rulesets.get(name) or rulesets.get(LEAD) or next(iter(rulesets.values()), None)
    page, own = (
        reverse("admin:contacts_contact_change", args=[contact_id]),
        reverse("admin:scoring_card", args=[contact_id]),
    )
    if ruleset is None:
        return {"heading": "Lead score", "page": page, "name": LEAD, "is_past": False, "rules_said": ""}
    at, problem = instant(asked.get("as_of", ""), now)
    try:
        found = explanation.explain(contact_id, at, ruleset.name, ruleset)
    except LookupError as error:
        raise Http404("There is no such contact") from error
    is_past = at != now
    wish = {} if ruleset.name == LEAD else {"score": ruleset.name}
    return {
        "name": ruleset.name,
        "heading": heading(ruleset.name),
        "is_lead": ruleset.name == LEAD,
        "page": page,
        "part": own,
        "now_page": _address(page, **wish),
        "now_part": _address(own, **wish),
        "choices": [
            {
                "name": each,
                "shown": each.replace("_", " ").replace("-", " ").capitalize(),
                "page": _address(page, score=each, **({"as_of": written(at)} if is_past else {})),
                "part": _address(own, score=each, **({"as_of": written(at)} if is_past else {})),
            }
            for each in sorted(rulesets, key=lambda each: (each != LEAD, each))
        ],
        "at": at,
        "written": written(at),
        "step": STEP if settings.TIME_SPEED == 1 else 1,
        "is_past": is_past,
        "problem": problem,
        "threshold": threshold(ruleset),
        "score": number(found.score),
        "rules_said": said(ruleset),
        "worked_out": worked_out(found, ruleset, at if is_past else None, now),
        "points_heading": "Points then" if is_past else "Points now",
        "then": "Then" if is_past else "Now",
        "shares": _shares(found),
        "adjustments": _adjustments(found),
        "silent": sum(1 for share in found.rules if not _counts(share)),
        **score_history.of(contact_id, ruleset, at=at, now=now),
    }


def heading(name: str) -> str:
    return f"{name.replace('_', ' ').replace('-', ' ').capitalize()} score"


def said(ruleset: Ruleset) -> str:
    """`“B2B fit and intent”, v5`."""
    return f"“{ruleset.settings.title}”, v{ruleset.version}" if ruleset.settings.title else f"{ruleset.label}"


def threshold(ruleset: Ruleset) -> str:
    """`MQL at 60`."""
    return f"{stages.label('mql') if ruleset.name == LEAD else 'Threshold'} at {number(ruleset.mql_threshold)}"


def worked_out(found: Explanation, ruleset: Ruleset, then: datetime | None, now: datetime) -> str:
    """From how many events the score is made, and under which rules."""
    ids = {event.event_id for share in found.rules for event in share.events if not event.note}
    more = any(share.event_count + share.left_out_count > EVENTS_SHOWN for share in found.rules)
    count = f"{'more than ' if more else ''}{len(ids)} event{'' if len(ids) == 1 and not more else 's'}"
    when = "now" if then is None else f"for {then:%-d %b %Y, %H:%M} UTC"
    ahead = ", if nothing happens until then" if then is not None and then > now else ""
    return f"Worked out {when} from {count} and the active rules ({said(ruleset)}){ahead}."


def _counts(share: RuleShare) -> bool:
    return bool(share.event_count or share.points)


def _shares(found: Explanation) -> list[dict[str, Any]]:
    """The strongest first, those that take points away last."""
    shown = sorted((share for share in found.rules if _counts(share)), key=lambda share: -share.points)
    largest = max((abs(share.points) for share in shown), default=0.0) or 1.0
    return [
        {
            "name": share.name,
            "note": note(share),
            "sentence": _sentence(share),
            "counted": share.event_count,
            "points": points(share.points),
            "width": round(100 * abs(share.points) / largest),
            "negative": share.points < 0,
            "events": [
                {
                    "at": event.occurred_at,
                    "url": reverse("admin:contacts_contactevent_change", args=[event.event_id]),
                    "raw": points(event.raw),
                    "decayed": points(event.decayed),
                    "note": event.note,
                }
                for event in share.events[:SHOWN_EVENTS]
            ],
            "more": all_events if (all_events := share.event_count + share.left_out_count) > SHOWN_EVENTS else 0,
        }
        for share in shown
    ]


def note(share: RuleShare) -> str:
    """What a look at the points does not tell: how they fade, and what holds them."""
    fading = wording.fading(share.decay)
    notes = [
        f"in {share.part}" if share.part else "",
        "" if fading == "never" else fading,
        "at its cap" if share.capped else "",
        wording.repeating(share.repeat),
    ]
    return ", ".join(each for each in notes if each)


def _sentence(share: RuleShare) -> str:
    try:
        said = wording.sentence(share.signal)
    except BadCondition:  # what it names is gone
        return "This rule can no longer be read."
    return f"Earned when {said}."


def _adjustments(found: Explanation) -> list[dict[str, str]]:
    """What stands between the rows and the score, the rounding of the rows to one decimal included: the shown numbers
    add up."""
    rows = [(each.text, each.points) for each in found.adjustments]
    shown = sum(round(share.points, 1) for share in found.rules if _counts(share))
    rest = round(round(found.score, 1) - shown - sum(round(each, 1) for _, each in rows), 1)
    if rest:
        rows.append(("Rounding of these rows", rest))
    return [{"words": words, "points": points(each)} for words, each in rows]


def points(value: float) -> str:
    """`+28.4`, `−5`."""
    return wording.signed(round(value, 1))


def instant(asked: str, now: datetime) -> tuple[datetime, str]:
    """The instant that somebody asks for, or now and why."""
    if not asked.strip():
        return now, ""
    try:
        at = datetime.fromisoformat(asked.strip())
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return now, "This is not a date and a time."
    return (at, "") if EARLIEST <= at <= now + FURTHEST else (now, NOTHING_AHEAD)


def written(at: datetime) -> str:
    """As fields for dates take it: by the minute, and by the second where days pass in seconds."""
    return f"{at:%Y-%m-%dT%H:%M}" if settings.TIME_SPEED == 1 else f"{at:%Y-%m-%dT%H:%M:%S}"


def _wish(shown: Mapping[str, Any]) -> dict[str, str]:
    wish = {} if shown["name"] == LEAD else {"score": shown["name"]}
    return wish | ({"as_of": written(shown["at"])} if shown["is_past"] else {})


def _address(page: str, **asked: str) -> str:
    return f"{page}?{urlencode(asked)}" if asked else page


floors.register_panel(Panel("Lead score", "admin/scoring/panel_score.html", panel, place=10))
