"""The domains that mail is sent from: what the world says of them, how far their warm-up has come, and their brake."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import path, reverse
from django.utils.safestring import SafeString

from contacts import clock
from contacts.pages.cells import NOTHING, moment, pill, stacked
from contacts.pages.changelists import Empty, RecordAdmin
from contacts.pages.floors import Sample
from delivery import figures, tallies, trouble
from delivery.models import SendingDomain
from delivery.pages import warm_up
from delivery.preflight import checking, verdicts
from delivery.rates import braking, progress, ramps, warming

VERDICTS = {
    "good": ("Ready", "good"),
    "warn": ("Could be better", "warn"),
    "bad": ("Needs mending", "bad"),
    "unknown": ("Not known yet", "plain"),
}
DAYS = 14


@admin.register(SendingDomain)
class SendingDomainAdmin(RecordAdmin):
    title_of_list = "Sending domains"
    nouns = ("sending domain", "sending domains")
    list_display = ("domain", "classes", "ready", "warm_up", "standing", "checked")
    ordering = ("domain",)
    record_template = "admin/delivery/domain.html"
    empty = Empty(
        "public",
        "No domain was checked yet",
        "The domain of EMAIL_FROM appears here within a minute, with what the world says of it. In a terminal:",
        ".venv/bin/python manage.py preflight",
        deed=Sample("Who messages come from", "admin:delivery_posttally_changelist", "delivery.view_posttally"),
    )

    def may_change(self, request: HttpRequest) -> bool:
        return request.user.has_perm("delivery.change_sendingdomain")

    def furnish(self, rows: list[Any], *, now: datetime) -> None:
        used = tallies.sending_domains()
        for row, warming_up in zip(rows, progress.of(rows, now=now), strict=True):
            row.shown_classes = [name for name, domain in used.items() if domain == row.domain]
            row.shown_progress = warming_up

    @admin.display(description="Used for")
    def classes(self, row: Any) -> str:
        return " and ".join(row.shown_classes) or "nothing now"

    @admin.display(description="Checks")
    def ready(self, row: SendingDomain) -> SafeString:
        return pill(*VERDICTS[verdicts.worst(verdicts.stored(row.checks))])

    @admin.display(description="Warm-up")
    def warm_up(self, row: Any) -> SafeString:
        at = row.shown_progress
        if not at.is_going:
            return NOTHING
        return stacked(
            f"Day {at.day} of {at.days}" if at.day else "Not begun",
            f"{at.claimed:,} of {at.allowed:,} today",
        )

    @admin.display(description="Brake")
    def standing(self, row: SendingDomain) -> SafeString:
        return pill("Holds marketing", "bad") if row.braked_at else pill("Off", "good")

    @admin.display(description="Checked")
    def checked(self, row: SendingDomain) -> SafeString:
        return moment(row.checked_at)

    def record(self, request: HttpRequest, row: Any, *, now: datetime) -> dict[str, Any]:
        self.furnish([row], now=now)
        checks = verdicts.stored(row.checks)
        since = tallies.day_of(now) - timedelta(days=DAYS - 1)
        return {
            "name": row.domain,
            "checks": sorted(checks, key=lambda check: verdicts.ORDER.index(check.verdict)),
            "verdict": VERDICTS[verdicts.worst(checks)],
            "is_asked": row.checked_at is None,
            "counts": figures.of_domains([row.domain], since=since)[row.domain],
            "days": DAYS,
            "progress": row.shown_progress,
            "ramp": warm_up.ramp(row.shown_progress),
            "choices": warm_up.choices(),
            "may_change": self.may_change(request),
            "may_release": self.may_change(request),
            "facts": [
                ("Used for", self.classes(row)),
                ("Brake", self.standing(row)),
                *([("Released", moment(row.released_at))] if row.released_at else []),
                *([("Released by", row.released_by)] if row.released_by else []),
                ("Checked", self.checked(row)),
                ("Known since", moment(row.created_at)),
            ],
        }

    # -- deeds ----------------------------------------------------------------------------------------------------

    def get_urls(self) -> list[Any]:
        wrap = self.admin_site.admin_view
        return [
            path("<str:domain>/checked/", wrap(self.checked_view), name="delivery_sendingdomain_checked"),
            path("<str:domain>/deed/<str:deed>/", wrap(self.deed_view), name="delivery_sendingdomain_deed"),
            *super().get_urls(),
        ]

    def checked_view(self, request: HttpRequest, domain: str) -> JsonResponse:
        """Whether the check that somebody asked for has been made."""
        row = SendingDomain.objects.filter(pk=domain).first()
        if row is None or not self.has_view_permission(request, row):
            raise Http404
        return JsonResponse({"checked": row.checked_at is not None})

    def deed_view(self, request: HttpRequest, domain: str, deed: str) -> HttpResponse:
        if request.method != "POST" or not self.may_change(request):
            raise PermissionDenied
        if deed not in DEEDS or not SendingDomain.objects.filter(pk=domain).exists():
            raise Http404
        try:
            said = DEEDS[deed](domain, request)
        except ramps.BadRamp as error:
            messages.error(request, f"Not started: {error}.")
        else:
            messages.success(request, said) if said else messages.info(request, "There was nothing to do.")
        trouble.forget()
        if request.POST.get("from") == "deliverability":
            return HttpResponseRedirect(reverse("admin:delivery_posttally_changelist"))
        return HttpResponseRedirect(reverse("admin:delivery_sendingdomain_change", args=[domain]))


# What can be done with a domain: says what was done; empty: nothing was to be done.
def _check(domain: str, request: HttpRequest) -> str:
    return f"{domain} is being checked." if checking.ask_for(domain) else ""


def _release(domain: str, request: HttpRequest) -> str:
    done = braking.release(domain, by=request.user.get_username(), now=clock.now())
    return f"Released: marketing from {domain} goes out again." if done else ""


def _start(domain: str, request: HttpRequest) -> str:
    own = request.POST.get("steps", "").replace("\n", ",")
    ramp = request.POST.get("ramp", "")
    if ramp == "own":
        warming.start(domain, steps=_steps(own), now=clock.now())
    else:
        warming.start(domain, ramp=ramp, now=clock.now())
    return f"The warm-up of {domain} has begun: this is its first day."


def _steps(text: str) -> list[int]:
    """Raises ramps.BadRamp."""
    given = [word.strip() for word in text.split(",") if word.strip()][: ramps.LONGEST + 1]
    if not all(word.isascii() and word.isdigit() and len(word) < 10 for word in given):
        raise ramps.BadRamp("each day's allowance is a whole number, with commas between them")
    return [int(word) for word in given]


def _hold(domain: str, request: HttpRequest) -> str:
    done = warming.hold(domain, by=request.user.get_username())
    return f"Held: {domain} stays at today's allowance until you let it go on." if done else ""


def _go_on(domain: str, request: HttpRequest) -> str:
    return f"{domain} goes on with its warm-up after a good day." if warming.hold(domain, by="") else ""


def _stop(domain: str, request: HttpRequest) -> str:
    return f"The warm-up of {domain} has ended: there is no limit any more." if warming.stop(domain) else ""


DEEDS: Mapping[str, Callable[[str, HttpRequest], str]] = {
    "check": _check,
    "release": _release,
    "start": _start,
    "hold": _hold,
    "go_on": _go_on,
    "stop": _stop,
}
