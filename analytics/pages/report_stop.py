"""The page behind the link that stops a report by mail."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from analytics.reports import subscriptions
from contacts import transactions
from contacts.public_pages import public_page


@csrf_exempt  # whoever comes from a mail has no cookie to prove themselves with; the link is the proof
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def stop(request: HttpRequest, public_id: str) -> HttpResponse:
    """GET shows a page with one button and changes nothing, for scanners follow every link; POST stops the mails, a
    mail program's one click (RFC 8058) included. Both answer the same for a link that nobody knows."""
    is_done = request.method == "POST"
    if is_done and (known := _uuid(public_id)):
        transactions.run(lambda now: subscriptions.stop(known, because=subscriptions.BY_READER))
    return public_page(request, "analytics/report_stop.html", {"is_done": is_done})


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
