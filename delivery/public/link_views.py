"""Our own links and pictures, as they are asked for from mails."""

from __future__ import annotations

import base64

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from contacts.public_pages import public_page
from delivery.public import hits, links
from delivery.public.languages import language

PICTURE = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")  # one transparent dot


@csrf_exempt  # so that what is no GET is told so
@never_cache
@require_http_methods(["GET", "HEAD"])
def follow(request: HttpRequest, token: str) -> HttpResponse:
    """To where the link leads. A token that is not ours leads to a page that says so, and nowhere else."""
    link = links.link(token)
    if link is None:
        return _unknown(request)
    hits.note(request, mid=link.mid, url=link.url)
    if link.is_canary:
        return _unknown(request)
    answer = HttpResponseRedirect(link.url)
    answer["Referrer-Policy"] = "no-referrer"
    answer["X-Robots-Tag"] = "noindex, nofollow"
    return answer


@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD"])
def picture(request: HttpRequest, token: str) -> HttpResponse:
    """A picture that nobody sees, also for a token that is not ours: a mail shows no broken one."""
    mid = links.opened(token)
    if mid is not None:
        hits.note(request, mid=mid, url=None)
    return HttpResponse(PICTURE, content_type="image/gif")


def _unknown(request: HttpRequest) -> HttpResponse:
    read = language("", request.headers.get("Accept-Language", ""))
    told = {"language": read, "words": read.words, "what": "unknown"}
    return public_page(request, "delivery/said.html", told, status=404)
