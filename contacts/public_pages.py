"""Pages behind the links in mails: for people without an account, and for whatever program follows links for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

_HEADERS = {"Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex, nofollow"}
_POLICY = (
    "default-src 'none'; img-src data:{picture}; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)


def public_page(request: HttpRequest, template: str, context: Mapping[str, Any], *, status: int = 200) -> HttpResponse:
    """A page that loads nothing but the house's own picture (BRAND_LOGO_URL), sets no cookie, tells nobody where it
    was, and is not found by search engines."""
    page = render(request, template, dict(context), status=status)
    guard(page)
    return page


def guard(response: HttpResponse) -> None:
    """Give the answer the headers of such a page."""
    for name, value in _HEADERS.items():
        response[name] = value
    response["Content-Security-Policy"] = _POLICY.format(picture=_picture(settings.BRAND_LOGO_URL))


def _picture(url: str) -> str:
    """As a source of a policy, where it can be one: what stands in a setting must not add a directive."""
    is_one = url.startswith("https://") and url.isascii() and url.isprintable() and not set(url) & set(" ;,'\"<>\\")
    return f" {url.partition('?')[0].partition('#')[0]}" if is_one else ""
