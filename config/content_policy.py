"""What a page of ours may load and run: the Content-Security-Policy of every answer that has none of its own."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase

HEADER = "Content-Security-Policy"
# 'unsafe-eval': Unfold's Alpine evaluates the attributes of its own templates, and does nothing without it.
# 'unsafe-inline' for styles alone: charts and the map set them, and Unfold writes its colours into the page.
# frame-ancestors: nobody frames us, not even we; a mail is shown in a sandboxed frame made of srcdoc, which comes under
# the policy of its page and may run nothing.
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src {pictures}; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
POLICY = _POLICY.format(pictures="'self' data:")
# Mails bring their pictures from wherever their author keeps them.
POLICY_WITH_MAILS = _POLICY.format(pictures="'self' data: https:")
PAGES_WITH_MAILS = frozenset(
    f"admin:delivery_{page}" for page in ("template_add", "template_change", "message_change", "sandboxmail_change")
)


class ContentPolicy:
    """After WhiteNoise, whose files need none; before whatever may answer in place of a view. An answer that brings a
    policy (the public pages, which run nothing at all) keeps it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        found = request.resolver_match
        shows_mails = found is not None and found.view_name in PAGES_WITH_MAILS
        response.headers.setdefault(HEADER, POLICY_WITH_MAILS if shows_mails else POLICY)
        return response
