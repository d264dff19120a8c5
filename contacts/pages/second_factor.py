"""Two-factor login: asked for after the password, set up, looked after, and reset for somebody who lost it."""

from __future__ import annotations

from typing import Any

import django_otp
import segno
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache

from contacts import login_attempts, second_factor, staff_sessions
from contacts.collect.segment import senders
from contacts.pages.login import note_block, too_often

WRONG = "That code is not right, or was used already. Codes of the app change every half a minute."


@never_cache
def code_view(request: HttpRequest) -> HttpResponse:
    """After the password. Who has no app yet sets one up."""
    user = getattr(request, "half_known", None)
    if user is None:
        return HttpResponseRedirect(_next(request))
    if not second_factor.has_device(user.pk):
        return HttpResponseRedirect(f"{reverse('second-factor-set-up')}?{request.GET.urlencode()}")
    error = ""
    if request.method == "POST":
        account, address = f"code of {user.pk}", senders.address(request)
        if seconds := login_attempts.wait_for(account, address):
            error = too_often(seconds)
        elif (device := second_factor.check(user, request.POST.get("code", "")[:64])) is not None:
            login_attempts.forgive(account, address)
            _verified(request, user, device)
            return HttpResponseRedirect(_next(request))
        else:
            error = WRONG
            if login_attempts.note_failure(account, address):
                note_block(user.get_username(), "code")
    return _bare(request, "admin/staff/code.html", title="Two-factor login", error=error, next=_next(request))


@never_cache
def set_up_view(request: HttpRequest) -> HttpResponse:
    """A new app: for whoever is logged in whole, or has to have one and has none."""
    half = getattr(request, "half_known", None)
    if half is not None and second_factor.has_device(half.pk):
        raise PermissionDenied  # a password alone does not exchange the second factor
    user: Any = half or request.user
    if not user.is_authenticated or not user.is_staff:
        return HttpResponseRedirect(reverse("admin:login"))
    error = ""
    if request.method == "POST":
        account, address = f"code of {user.pk}", senders.address(request)
        if seconds := login_attempts.wait_for(account, address):
            error = too_often(seconds)
        elif (made := second_factor.confirm(user, request.POST.get("code", "")[:64])) is not None:
            device, codes = made
            _verified(request, user, device)
            return _bare(request, "admin/staff/codes.html", title="Recovery codes", codes=codes, next=_next(request))
        else:
            error = WRONG
            login_attempts.note_failure(account, address)
    enrolment = second_factor.begin(user)
    picture = segno.make(enrolment.url, error="m", micro=False).svg_data_uri(scale=4, border=4, light="#fff")
    return _bare(
        request,
        "admin/staff/set_up.html",
        title="Set up two-factor login",
        error=error,
        picture=picture,
        secret=enrolment.secret,
        next=_next(request),
    )


@never_cache
def own_view(request: HttpRequest) -> HttpResponse:
    """One's own: GET shows how it stands; POST `renew` makes new recovery codes, `remove` ends it where it may."""
    user: Any = request.user
    if request.method == "POST":
        if not user.is_verified():
            raise PermissionDenied
        if "renew" in request.POST:
            codes = second_factor.renew_recovery_codes(user)
            here = reverse("second-factor")
            return _bare(request, "admin/staff/codes.html", title="Recovery codes", codes=codes, next=here)
        if "remove" in request.POST and not settings.REQUIRE_STAFF_2FA:
            second_factor.remove(user, by_themselves=True)
            request.session[staff_sessions.HAS_FACTOR] = False
            messages.success(request, "Two-factor login is off for you.")
        return HttpResponseRedirect(reverse("second-factor"))
    context = {
        **admin.site.each_context(request),
        "title": "Two-factor login",
        "crumbs": [("Two-factor login", "")],
        "is_on": second_factor.has_device(user.pk),
        "is_verified": user.is_verified(),
        "left": second_factor.codes_left(user),
        "is_required": settings.REQUIRE_STAFF_2FA,
    }
    return TemplateResponse(request, "admin/staff/own.html", context)


@never_cache
def reset_view(request: HttpRequest, pk: int) -> HttpResponse:
    """Of somebody else who lost the telephone: GET asks, POST does it."""
    if not request.user.has_perm("auth.change_user"):
        raise PermissionDenied
    who: Any = get_user_model().objects.filter(pk=pk).first()
    if who is None:
        raise Http404
    if who.is_superuser and not request.user.is_superuser:
        raise PermissionDenied
    back = reverse("admin:auth_user_change", args=[pk])
    if request.method == "POST":
        if second_factor.remove(who, by_themselves=False):
            messages.success(request, f"The second factor of {who} is reset.")
        return HttpResponseRedirect(back)
    context = {
        **admin.site.each_context(request),
        "title": f"Reset two-factor login of {who}",
        "crumbs": [("Users", reverse("admin:auth_user_changelist")), (str(who), back), ("Two-factor login", "")],
        "who": who,
        "back": back,
        "is_on": second_factor.has_device(who.pk),
    }
    return TemplateResponse(request, "admin/staff/reset.html", context)


def _verified(request: HttpRequest, user: Any, device: Any) -> None:
    """This session showed both factors; it goes on under another name."""
    request.user = user
    django_otp.login(request, device)
    request.session[staff_sessions.HAS_FACTOR] = True
    request.session.cycle_key()


def _next(request: HttpRequest) -> str:
    """Where one wanted to go: nowhere else than here."""
    asked = request.POST.get("next") or request.GET.get("next", "")
    if url_has_allowed_host_and_scheme(asked, {request.get_host()}, require_https=request.is_secure()):
        return asked
    return reverse("admin:index")


def _bare(request: HttpRequest, template: str, **context: Any) -> HttpResponse:
    """As the login page looks: the menu is for whoever is logged in."""
    response = TemplateResponse(request, template, {**admin.site.each_context(request), **context})
    response["Cache-Control"] = "no-store"
    return response


urlpatterns = [
    path("admin/second-factor/", admin.site.admin_view(own_view), name="second-factor"),
    path("admin/second-factor/code/", code_view, name="second-factor-code"),
    path("admin/second-factor/set-up/", set_up_view, name="second-factor-set-up"),
    path("admin/second-factor/of/<int:pk>/", admin.site.admin_view(reset_view), name="second-factor-reset"),
]
