"""The deliverability page: whether mail arrives, whether people want it, and what is in its way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse

from contacts import clock
from contacts.pages.changelists import ReadOnlyAdmin
from delivery import figures, providers, trouble, wording
from delivery.figures import Counts, Figures
from delivery.models import PostTally, SendingDomain
from delivery.pages import charts
from delivery.pages.charts import Chart, Series
from delivery.rates import progress
from delivery.tallies import MACHINE
from delivery.webhooks import vocabulary

RANGES = (7, 14, 30, 90)
USUAL = 14
CHANNELS = {"": "All channels", "email": "Email", "sms": "SMS", "push": "Push"}
# What a bar is made of, from below: every message once, by how it ended.
ENDS = (
    ("Sent", "info", ("accepted",)),
    ("Kept back", "warn", ("suppressed", "capped")),
    ("Refused", "bad", ("rejected",)),
    ("Never found out", "violet", ("undetermined",)),
    ("Cancelled", "plain", ("cancelled",)),
)
ENGAGED = (
    ("Opened by people", "good", vocabulary.OPENED),
    ("Clicked by people", "info", vocabulary.CLICKED),
    ("Opened by machines", "plain", MACHINE + vocabulary.OPENED),
)


@dataclass(frozen=True)
class Tile:
    """`pill` with its `tone`, or `note`, stands below the number."""

    title: str
    number: str
    pill: str = ""
    tone: str = "plain"
    note: str = ""


@admin.register(PostTally)
class DeliverabilityAdmin(ReadOnlyAdmin):
    title_of_list = "Deliverability"

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        now = clock.now()
        days, channel = _days(request), _channel(request)
        counted = figures.read(days=days, channel=channel, now=now)
        open_now = figures.open_now()
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Deliverability",
            "crumbs": self.crumbs(),
            "now": now,
            "days": days,
            "ranges": [(n, _address(days=n, channel=channel), n == days) for n in RANGES],
            "channels": [(words, _address(days=days, channel=c), c == channel) for c, words in CHANNELS.items()],
            "figures": counted,
            "tiles": tiles(counted, days),
            "outcomes": outcomes(counted),
            "engagement": engagement(counted),
            "machine_share": counted.total.machine_share,
            "mailboxes": [row for row in counted.mailboxes if row[1].sent],
            "domains": [row for row in counted.domains if row[1].sent],
            "least": figures.LEAST_SAMPLE,
            **self._domains(request, now),
            "open": open_now,
            "doubts": doubts(counted),
            "lag": (now - open_now.webhooks_since).total_seconds() if open_now.webhooks_since else 0,
            "troubles": [each for each in trouble.look(now=now) if each.kind != "brake"],  # it has a card of its own
        }
        return TemplateResponse(request, "admin/delivery/deliverability.html", context)

    def _domains(self, request: HttpRequest, now: datetime) -> dict[str, Any]:
        rows = list(SendingDomain.objects.order_by("domain")[:50])
        return {
            "warming": [each for each in progress.of(rows, now=now) if each.is_going],
            "braked": [row for row in rows if row.braked_at],
            "may_release": request.user.has_perm("delivery.change_sendingdomain"),
            "providers": [
                (CHANNELS[channel], [providers.title(name) for name in providers.names(channel)])
                for channel in providers.CHANNELS
            ],
        }


def _days(request: HttpRequest) -> int:
    asked = request.GET.get("days", "")
    return int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 4 and int(asked) in RANGES else USUAL


def _channel(request: HttpRequest) -> str:
    asked = request.GET.get("channel", "")
    return asked if asked in CHANNELS else ""


def _address(*, days: int, channel: str) -> str:
    asked = f"?days={days}" + (f"&channel={channel}" if channel else "")
    return reverse("admin:delivery_posttally_changelist") + asked


def percent(rate: float, digits: int = 1) -> str:
    return f"{100 * rate:.{digits}f}%"


def tiles(counted: Figures, days: int) -> list[Tile]:
    total = counted.total
    kept_back = total.of("suppressed") + total.of("capped")
    return [
        Tile(
            f"Delivered, {days} days",
            f"{total.delivered:,}",
            f"{percent(total.delivered_rate)} of {total.sent:,} sent" if total.sent else "Nothing was sent",
            "plain" if total.sent < figures.LEAST_SAMPLE else "good" if total.delivered_rate >= 0.95 else "warn",
        ),
        Tile("Bounces", percent(total.bounce_rate), *_pill(total.bounces_are, "2%", "2%"), note=_bounces(total)),
        Tile(
            "Complaints",
            percent(total.complaint_rate, 2),
            *_pill(total.complaints_are, "0.1%", "0.3%"),
            note=f"{total.complained:,} of {total.delivered:,} delivered",
        ),
        Tile("Stopped before sending", f"{kept_back:,}", note=stopped(counted)),
    ]


def _pill(verdict: str, watch: str, limit: str) -> tuple[str, str]:
    """Words and tone for a rate that has two limits; they may be one."""
    words = {
        "good": f"Under {watch}",
        "warn": f"Over {watch}, under {limit}",
        "bad": f"Over {limit}",
        "plain": "Too few to tell",
    }
    return words[verdict], verdict


def _bounces(total: Counts) -> str:
    hard, soft = total.of(vocabulary.HARD_BOUNCE), total.of(vocabulary.SOFT_BOUNCE)
    return f"{hard:,} for good, {soft:,} for now"


def stopped(counted: Figures, most: int = 3) -> str:
    """Why messages were kept back, the commonest reasons first."""
    why: dict[str, int] = {}
    for what in ("suppressed", "capped"):
        for reason, n in counted.reasons.get(what, {}).items():
            why[reason] = why.get(reason, 0) + n
    ranked = sorted(why.items(), key=lambda each: (-each[1], each[0]))
    told = [f"{n:,} {wording.short_reason(reason)}" for reason, n in ranked[:most]]
    rest = sum(n for _, n in ranked[most:])
    return " · ".join([*told, *([f"{rest:,} for other reasons"] if rest else [])])


def outcomes(counted: Figures) -> Chart:
    return charts.bars(
        counted.days,
        [
            Series(name, tone, [sum(counted.by_day[day].of(what) for what in whats) for day in counted.days])
            for name, tone, whats in ENDS
        ],
    )


def engagement(counted: Figures) -> Chart:
    return charts.lines(
        counted.days,
        [Series(name, tone, [counted.by_day[day].of(what) for day in counted.days]) for name, tone, what in ENGAGED],
        labels=4,
    )


def doubts(counted: Figures) -> Mapping[str, Any]:
    """Messages of which it was not known whether they were taken, and by which path that was found out."""
    by_path: Sequence[tuple[str, int]] = sorted(
        ((wording.reason(reason), n) for reason, n in counted.reasons.get("accepted", {}).items() if reason),
        key=lambda each: -each[1],
    )
    return {"found": counted.total.of("in_doubt"), "paths": by_path, "undetermined": counted.total.of("undetermined")}
