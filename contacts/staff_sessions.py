"""Sessions of the staff: over when nobody used them for a while, or when they are old, and of no use without the second
factor that they need."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.signals import user_logged_in
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseForbidden, HttpResponseRedirect
from django.urls import reverse

from contacts import second_factor

BEGAN, SEEN, HAS_FACTOR = "staff_began", "staff_seen", "staff_has_factor"
TOUCH_SECONDS = 60  # a session that is in use is written no oftener


@receiver(user_logged_in, dispatch_uid="sessions of the staff begin")
def begin(*, request: HttpRequest, user: Any, **_: Any) -> None:
    request.session[BEGAN] = request.session[SEEN] = int(time.time())
    request.session[HAS_FACTOR] = second_factor.has_device(user.pk)


class StaffSessions:
    """After OTPMiddleware, before whoever wants to know who asks. Who showed a password and owes the second factor is
    nobody yet; the pages that ask for it find them as `request.half_known`."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if settings.SESSION_COOKIE_NAME in request.COOKIES and request.user.is_authenticated:
            if _is_over(request):
                logout(request)
            elif _owes_factor(request):
                request.half_known = request.user  # type: ignore[attr-defined]
                request.user = AnonymousUser()
                if (answer := _ask(request)) is not None:
                    return answer
        return self.get_response(request)


def _is_over(request: HttpRequest) -> bool:
    now, session = int(time.time()), request.session
    began, seen = session.setdefault(BEGAN, now), session.setdefault(SEEN, now)
    if now - began > settings.SESSION_HOURS * 3600 or now - seen > settings.SESSION_IDLE_MINUTES * 60:
        return True
    if now - seen >= TOUCH_SECONDS:
        session[SEEN] = now
    return False


def _owes_factor(request: HttpRequest) -> bool:
    if request.user.is_verified():  # type: ignore[union-attr]
        return False
    if settings.REQUIRE_STAFF_2FA or request.session.get(HAS_FACTOR):
        return True
    # set up elsewhere since this session began with a password alone, perhaps because somebody else knows that
    return second_factor.has_device(request.user.pk)  # type: ignore[arg-type]


def _ask(request: HttpRequest) -> HttpResponse | None:
    """Of pages of the admin; whatever lies outside sees nobody."""
    open_to_half = ("second-factor-code", "second-factor-set-up", "admin:logout", "admin:login")
    if not request.path.startswith(reverse("admin:index")) or request.path in map(reverse, open_to_half):
        return None
    if request.method not in {"GET", "HEAD"}:
        return HttpResponseForbidden("Log in with your second factor first.", content_type="text/plain")
    return HttpResponseRedirect(f"{reverse('second-factor-code')}?{urlencode({'next': request.get_full_path()})}")
