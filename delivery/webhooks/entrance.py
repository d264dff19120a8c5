"""Where vendors knock.

A body is verified as raw bytes, stored as it came, and answered; folding it comes afterwards. A forged one gets 403. A
signed one that nobody can read is stored and answered 2xx all the same, since a vendor drops or repeats what gets 4xx,
and neither helps. 5xx, after which a vendor tries again, is for faults of ours: it was not stored.
"""

from __future__ import annotations

import logging

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseNotFound
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from contacts import chaos, clock, doorbell
from delivery.models import WebhookDelivery
from delivery.providers import entries
from delivery.webhooks import tokens
from delivery.webhooks.base import Knock, UnableToVerify, Vendor

log = logging.getLogger(__name__)


@csrf_exempt
@require_http_methods(["HEAD", "GET", "POST"])
def receive(request: HttpRequest, provider: str) -> HttpResponse:
    entry = entries().get(provider)
    vendor = entry.vendor if entry else None
    if vendor is None or (provider == "sandbox" and settings.EMAIL_PROVIDER != "sandbox"):
        return HttpResponseNotFound()
    if request.method == "GET" and not vendor.looks_by_get:
        return HttpResponseNotAllowed(["HEAD", "POST"])
    if request.method != "POST":  # with which some look whether anybody is here
        return HttpResponse()
    knock = Knock(request.headers, request.body, settings.PUBLIC_URL + request.get_full_path(), clock.now())
    try:
        if not vendor.is_genuine(knock):
            return HttpResponse(status=403)
        if vendor.greet:
            vendor.greet(knock)
    except UnableToVerify as error:
        log.warning("a webhook of %s has to come again: %s", provider, error)
        return HttpResponse(status=503)
    return HttpResponse(status=200 if _store(provider, vendor, knock) else 403)


def _store(provider: str, vendor: Vendor, knock: Knock) -> bool:
    """In one transaction, committed when this returns. False: its token came with something else before."""
    with transaction.atomic():
        if vendor.once:
            use = tokens.use(provider, vendor.once(knock.body), now=knock.at)
            if use != tokens.FIRST:
                return use == tokens.AGAIN
        body = vendor.stored(knock) if vendor.stored else knock.body
        WebhookDelivery.objects.create(provider=provider, body=body, received_at=knock.at)
        doorbell.ring_on_commit("delivery.fold_webhooks", "webhooks")
    chaos.point("webhooks.stored")
    return True
