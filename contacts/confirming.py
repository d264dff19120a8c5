"""The page behind the link of a double opt-in."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from contacts import opt_in, transactions
from contacts.opt_in import Answer
from contacts.public_pages import public_page


@csrf_exempt  # whoever comes from a mail has no cookie to prove themselves with; the token is the proof
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: HttpRequest, token: str) -> HttpResponse:
    """GET shows a page with one button and changes nothing, for scanners follow every link. POST grants what was asked
    for. Both answer the same for a token that is unknown, used or too old: they tell nobody who is known here."""
    is_done = request.method == "POST"
    if is_done:
        answer = Answer(ip=request.META.get("REMOTE_ADDR", ""), user_agent=request.headers.get("User-Agent", ""))
        transactions.run(lambda now: opt_in.confirm(token, answer, now=now))
    return public_page(request, "contacts/confirm.html", {"is_done": is_done})
