"""The page behind the link in a mail."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from contacts import clock
from contacts.public_pages import public_page
from delivery.public import unsubscribing


@csrf_exempt  # a mail program has no cookie to prove itself with; the token is the proof
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """GET shows a page and changes nothing, for scanners follow every link. POST, by its button or by a mail program
    (RFC 8058), does it, and is answered only when no request to the address can start any more. The answer is the same
    for a token that we never made."""
    if request.method == "POST":
        one_click = request.POST.get("List-Unsubscribe") == "One-Click"
        unsubscribing.unsubscribe(token, source="one_click" if one_click else "page", now=clock.now())
    return public_page(request, "delivery/unsubscribe.html", {"is_done": request.method == "POST"})
