"""Website tracking: the lines that go into a web page, what they do in plain words, and a light that turns green when
events arrive."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import escape
from unfold.widgets import UnfoldAdminTextInputWidget

from contacts import clock, transactions
from contacts.access import BadKeyRequest
from contacts.collect import write_keys
from contacts.models import ApiKey

FRESH = timedelta(minutes=10)  # an event as young as this means that the page is sending now
LOOKED_AT = 5_000  # newest events among which the last one of a web page is looked for: there is no index on the source

STUB = (
    'window.carillon=window.carillon||{q:[]};["page","track","identify","consent","reset"].forEach(function(n){'
    "carillon[n]=carillon[n]||function(){carillon.q.push([n].concat([].slice.call(arguments)))}})"
)
LANGUAGES = (
    (
        "Python",
        "import hashlib, hmac\n\n"
        "user_hash = hmac.new(IDENTITY_SECRET.encode(), str(user.id).encode(), hashlib.sha256).hexdigest()",
    ),
    (
        "Node.js",
        'import { createHmac } from "node:crypto";\n\n'
        'const userHash = createHmac("sha256", IDENTITY_SECRET).update(String(user.id)).digest("hex");',
    ),
    ("PHP", "$user_hash = hash_hmac('sha256', (string) $user->id, $identity_secret);"),
)


class NewWebsite(forms.Form):
    name = forms.CharField(
        max_length=200,
        widget=UnfoldAdminTextInputWidget,
        help_text="The website, such as www.example.com",
    )
    origins = forms.CharField(
        required=False,
        max_length=2000,
        widget=UnfoldAdminTextInputWidget,
        help_text="Where its pages are, comma-separated: https://www.example.com, https://*.example.com. Empty: any",
    )

    def clean_origins(self) -> list[str]:
        return [origin.strip() for origin in self.cleaned_data["origins"].split(",") if origin.strip()]


def urls(site: AdminSite) -> list[URLPattern]:
    return [
        path("website/", site.admin_view(page), name="contacts_website"),
        path("website/light/", site.admin_view(light), name="contacts_website_light"),
        path("website/<int:pk>/secret/", site.admin_view(renew_secret), name="contacts_website_secret"),
    ]


def page(request: HttpRequest) -> HttpResponse:
    """`?key=ID` chooses among the keys of web pages; the newest is shown first. POST makes one."""
    if not request.user.has_perm("contacts.view_apikey"):
        raise PermissionDenied
    may_add = request.user.has_perm("contacts.add_apikey")
    form = NewWebsite(request.POST or None)
    if request.method == "POST":
        if not may_add:
            raise PermissionDenied
        if form.is_valid() and (made := _make(form)):
            messages.success(request, f"The key of {form.cleaned_data['name']} is made. Copy the lines into its pages.")
            return HttpResponseRedirect(f"{reverse('admin:contacts_website')}?key={made}")
    now = clock.now()
    keys = _newest_first(now)
    chosen = _chosen(request, keys)
    return _render(request, keys=keys, key=chosen, form=form, may_add=may_add, light=chosen and look(chosen["id"], now))


def _render(request: HttpRequest, *, key: dict[str, Any] | None, **more: Any) -> HttpResponse:
    context = {
        **admin.site.each_context(request),
        "title": "Website tracking",
        "key": key,
        "code": snippet_for(key["public_key"]) if key else "",
        "languages": LANGUAGES,
        "may_change": request.user.has_perm("contacts.change_apikey"),
        "default_denied": settings.DEFAULT_TRACKING_CONSENT != "granted",
        **more,
    }
    return TemplateResponse(request, "admin/contacts/website.html", context)


def _live_keys(now: datetime) -> Any:
    valid = Q(expires_at=None) | Q(expires_at__gt=now)
    return ApiKey.objects.filter(valid, kind="browser", revoked_at=None).exclude(public_key="")


def _newest_first(now: datetime) -> list[dict[str, Any]]:
    return list(_live_keys(now).order_by("-id").values("id", "name", "public_key", "identity_secret"))


def _chosen(request: HttpRequest, keys: list[dict[str, Any]]) -> dict[str, Any] | None:
    asked = request.GET.get("key", "")
    found = [key for key in keys if str(key["id"]) == asked]
    if asked and not found:
        raise Http404
    return next(iter(found or keys), None)


def _make(form: NewWebsite) -> int | None:
    """The id of the new key, or None with the reason in the form."""

    def make(now: datetime) -> int:
        key = write_keys.create_write_key(
            name=form.cleaned_data["name"], kind="browser", origins=form.cleaned_data["origins"], now=now
        )
        return ApiKey.objects.only("id").get(public_key=key).pk

    try:
        return transactions.run(make)
    except BadKeyRequest as error:
        form.add_error("origins", str(error))
        return None


def snippet_for(public_key: str) -> str:
    """What goes into the head of every page, as text. The first line keeps what the page says before the second is
    loaded."""
    source = escape(f"{settings.PUBLIC_URL}/t.js")
    return f'<script>{STUB}</script>\n<script async src="{source}" data-key="{escape(public_key)}"></script>'


# -- the proof of who somebody is --------------------------------------------------------------------------------------


def renew_secret(request: HttpRequest, pk: int) -> HttpResponse:
    """POST only. The secret is in the answer, and nowhere else afterwards."""
    if request.method != "POST" or not request.user.has_perm("contacts.change_apikey"):
        raise PermissionDenied
    now = clock.now()
    keys = _newest_first(now)
    chosen = next((key for key in keys if key["id"] == pk), None)
    if chosen is None:
        raise Http404
    secret = transactions.run(lambda now: write_keys.renew_identity_secret(pk))
    chosen["identity_secret"] = secret
    response = _render(
        request,
        keys=keys,
        key=chosen,
        form=NewWebsite(),
        may_add=request.user.has_perm("contacts.add_apikey"),
        light=look(pk, now),
        secret=secret,
    )
    response["Cache-Control"] = "no-store"
    return response


# -- the light ---------------------------------------------------------------------------------------------------------


def light(request: HttpRequest) -> HttpResponse:
    """`?key=ID`: `{"state", "words", "detail"}`, asked every two seconds while somebody looks."""
    if not request.user.has_perm("contacts.view_apikey"):
        raise PermissionDenied
    asked = request.GET.get("key", "")
    now = clock.now()
    if not asked.isdigit() or len(asked) > 18 or not _live_keys(now).filter(pk=int(asked)).exists():
        raise Http404
    response = JsonResponse(look(int(asked), now))
    response["Cache-Control"] = "no-store"
    return response


def look(key_id: int, now: datetime) -> dict[str, str]:
    """`state`: waiting · seen · quiet. `words` and `detail` say it to people."""
    last_event_at = ApiKey.objects.values_list("last_event_at", flat=True).get(pk=key_id)
    if last_event_at is None:
        return {
            "state": "waiting",
            "words": "Waiting for the first event",
            "detail": "Put the lines into a page and open it.",
        }
    detail = f"Key last used at {_clock_time(last_event_at, now)}"
    newest = _newest_of_web_pages()
    if newest is not None:
        event_type, at, processed = newest
        detail = f"Last event from the web: {event_type}, {_clock_time(at, now)}"
        if not processed:
            detail += ", stored without tracking consent"
    if last_event_at < now - FRESH:
        return {"state": "quiet", "words": "Nothing has arrived lately", "detail": detail}
    return {"state": "seen", "words": "We see your events", "detail": detail}


def _newest_of_web_pages() -> tuple[str, datetime, bool] | None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT type, recorded_at, processed
              FROM (SELECT id, type, recorded_at, processed, source FROM contact_events ORDER BY id DESC LIMIT %s) e
             WHERE source = 'browser' ORDER BY id DESC LIMIT 1
            """,
            [LOOKED_AT],
        )
        return cursor.fetchone()


def _clock_time(at: datetime, now: datetime) -> str:
    at = at.astimezone(now.tzinfo)
    return f"{at:%H:%M:%S} UTC" if now - at < timedelta(hours=12) else f"{at:%-d %b %Y, %H:%M} UTC"
