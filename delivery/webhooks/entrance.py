"""Where vendors knock.

A body is verified as raw bytes, stored as it came, and answered; folding it comes afterwards. A forged one gets 403. A
signed one that nobody can read is stored and answered 2xx all the same, since a vendor drops or repeats what gets 4xx,
and neither helps. 5xx, after which a vendor tries again, is for faults of ours: it was not stored.
"""

from __future__ import annotations

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseNotFound
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from contacts import clock, doorbell
from delivery.models import WebhookDelivery
from delivery.providers import entries


@csrf_exempt
@require_POST
def receive(request: HttpRequest, provider: str) -> HttpResponse:
    entry = entries().get(provider)
    vendor = entry.vendor if entry else None
    if vendor is None or (provider == "sandbox" and settings.EMAIL_PROVIDER != "sandbox"):
        return HttpResponseNotFound()
    body = request.body
    if not vendor.is_genuine(request.headers, body):
        return HttpResponse(status=403)
    with transaction.atomic():
        WebhookDelivery.objects.create(provider=provider, body=body, received_at=clock.now())
        doorbell.ring_on_commit("delivery.fold_webhooks", "webhooks")
    return HttpResponse(status=200)
