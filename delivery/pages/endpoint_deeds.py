"""What can be done with an outgoing webhook on its page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from contacts import transactions
from delivery import trouble
from delivery.models import WebhookEndpoint
from delivery.outgoing import endpoints, hearing, replaying
from delivery.outgoing.endpoints import BadEndpoint

SPANS = (("1", "The last hour"), ("24", "The last 24 hours"), ("168", "The last 7 days"), ("720", "The last 30 days"))


def found(pk: int) -> WebhookEndpoint:
    """Raises Http404."""
    row = WebhookEndpoint.objects.exclude(state="removed").filter(pk=min(pk, 2**62)).first()
    if row is None:
        raise Http404("There is no such webhook")
    return row


def back(request: HttpRequest, pk: int, said: str) -> HttpResponse:
    messages.success(request, said)
    return HttpResponseRedirect(reverse("admin:delivery_webhookendpoint_change", args=[pk]))


def do(request: HttpRequest, pk: int, deed: str) -> HttpResponse:
    takes = endpoints.REMOVE if deed == "remove" else endpoints.CHANGE
    if request.method != "POST" or not request.user.has_perm(takes):
        raise PermissionDenied
    if deed not in DEEDS:
        raise Http404
    row = found(pk)
    try:
        said = transactions.run(lambda now: DEEDS[deed](row, request, now))
    except (BadEndpoint, LookupError) as error:
        reason = str(error) if isinstance(error, BadEndpoint) else "it is disabled"
        messages.error(request, f"Not done: {reason}.")
    else:
        messages.success(request, said)
    trouble.forget()
    if deed == "remove":
        return HttpResponseRedirect(reverse("admin:delivery_webhookendpoint_changelist"))
    return HttpResponseRedirect(reverse("admin:delivery_webhookendpoint_change", args=[pk]))


def replay(request: HttpRequest, pk: int, delivery: UUID) -> HttpResponse:
    if request.method != "POST" or not request.user.has_perm(endpoints.CHANGE):
        raise PermissionDenied
    found(pk)
    try:
        transactions.run(lambda now: replaying.one(pk, str(delivery), now=now))
    except LookupError as error:
        raise Http404("There is no such delivery") from error
    except replaying.StillOpen:
        messages.info(request, "It is under way already.")
        return HttpResponseRedirect(reverse("admin:delivery_webhookendpoint_change", args=[pk]))
    return back(request, pk, "It is sent once more.")


def _test(row: WebhookEndpoint, request: HttpRequest, now: datetime) -> str:
    hearing.ping(row.pk, now=now)
    return "A test is on its way: it stands in the log as ping."


def _enable(row: WebhookEndpoint, request: HttpRequest, now: datetime) -> str:
    endpoints.enable(row.pk, now=now)
    return "Enabled. What was recorded meanwhile can be sent with “Send once more”."


def _disable(row: WebhookEndpoint, request: HttpRequest, now: datetime) -> str:
    endpoints.disable(row.pk, now=now)
    return "Disabled: it hears of nothing new, and what is queued waits."


def _remove(row: WebhookEndpoint, request: HttpRequest, now: datetime) -> str:
    endpoints.remove(row.pk, now=now)
    return "Removed. Nothing more is sent to it."


def _replay(row: WebhookEndpoint, request: HttpRequest, now: datetime) -> str:
    asked = request.POST.get("hours", "")
    hours = int(asked) if asked in dict(SPANS) else 1
    done = replaying.span(
        row.pk,
        since=now - timedelta(hours=hours),
        until=now,
        only_failed=request.POST.get("which") != "all",
        now=now,
    )
    if not done.queued:
        return "There was nothing to send once more."
    said = f"Sent once more: {done.queued:,} event{'' if done.queued == 1 else 's'}."
    return f"{said} There are more: ask again once these have arrived." if done.go_on_from else said


DEEDS: Mapping[str, Callable[[WebhookEndpoint, HttpRequest, datetime], str]] = {
    "test": _test,
    "enable": _enable,
    "disable": _disable,
    "remove": _remove,
    "replay": _replay,
}
