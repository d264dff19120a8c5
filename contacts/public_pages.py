"""Pages behind the links in mails: for people without an account, and for whatever program follows links for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

_HEADERS = {
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
    "Content-Security-Policy": "default-src 'none'; img-src data:; style-src 'unsafe-inline'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
}


def public_page(request: HttpRequest, template: str, context: Mapping[str, Any]) -> HttpResponse:
    """A page that loads nothing, sets no cookie, tells nobody where it was, and is not found by search engines."""
    page = render(request, template, dict(context))
    for name, value in _HEADERS.items():
        page[name] = value
    return page
