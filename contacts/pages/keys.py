"""API keys: made here and shown once, listed without their secrets, revoked but never deleted."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from contacts import access, clock
from contacts.collect import write_keys
from contacts.models import ApiKey
from contacts.pages import accounts, installation, key_changes, write_key
from contacts.pages.cells import NOTHING, moment, pill, stacked
from contacts.pages.changelists import Empty, RecordAdmin
from contacts.pages.floors import Sample

SCOPES = {
    "events:write": "send events",
    "contacts:read": "read contacts, their timelines and scores",
    "contacts:write": "create and change contacts",
    "workflows:read": "read journeys and their numbers",
    "workflows:write": "change drafts of journeys",
    "workflows:publish": "publish, pause, resume and archive journeys",
    "delivery:read": "read messages, templates and suppressions",
    "admin": "everything",
}
KINDS = {
    "secret": "Secret key, for servers: does what its scopes allow",
    "server": "Write key for servers: may only append events",
    "browser": "Write key for web pages: public by nature, may only append events",
}
SHORT_KINDS = {"secret": "Secret key", "server": "Write key, server", "browser": "Write key, web pages"}
LIFETIMES = {"": "Until it is revoked", "30": "30 days", "90": "90 days", "365": "A year"}
SOON = timedelta(days=14)  # before a key expires, its list says so in amber


class NewKey(forms.Form):
    name = forms.CharField(
        max_length=200,
        widget=UnfoldAdminTextInputWidget,
        help_text="Who will use it, so that you know later what breaks without it",
    )
    kind = forms.ChoiceField(choices=list(KINDS.items()), initial="secret", widget=forms.RadioSelect)
    scopes = forms.MultipleChoiceField(
        choices=list(SCOPES.items()), required=False, widget=forms.CheckboxSelectMultiple
    )
    lifetime = forms.ChoiceField(
        label="How long it works",
        choices=list(LIFETIMES.items()),
        required=False,
        widget=UnfoldAdminSelectWidget,
        help_text="After that it is refused. A key that is not needed for long should not work for long",
    )
    limit, account = key_changes.limit_field(), key_changes.account_field()
    events, origins = write_key.Narrowing.base_fields["events"], write_key.Narrowing.base_fields["origins"]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("kind") == "secret" and not data.get("scopes"):
            self.add_error("scopes", "A secret key without a scope can do nothing; choose at least one.")
        return data

    def make(self, now: datetime) -> str:
        """The key, in the caller's transaction. Raises BadKeyRequest."""
        said = self.cleaned_data
        ends = self.expires_at(now)
        if said["kind"] == "secret":
            return access.create_key(
                name=said["name"],
                kind="secret",
                scopes=said["scopes"],
                now=now,
                expires_at=ends,
                requests_per_minute=said["limit"],
                service_account=said["account"] and said["account"].pk,
            )
        limits = {"events": said["events"], "origins": said["origins"]} if said["kind"] == "browser" else {}
        return write_keys.create_write_key(name=said["name"], kind=said["kind"], now=now, expires_at=ends, **limits)

    def expires_at(self, now: datetime) -> datetime | None:
        days = self.cleaned_data["lifetime"]
        return now + timedelta(days=int(days)) if days else None


@admin.register(ApiKey)
class ApiKeyAdmin(RecordAdmin):
    list_display = ("key_name", "starts_with", "may_do", "created", "last_used", "expires", "standing")
    list_display_links = ("key_name",)
    ordering = ("-id",)
    list_before_template = "admin/contacts/key_tabs.html"
    record_template = "admin/contacts/api_key.html"
    empty = Empty(
        "key",
        "No keys yet",
        "Programs that send events or read the API show a key, as people show a password. Give each program one of its "
        "own, with no more than it needs: you see when it was last used, and can revoke it alone. In a terminal:",
        ".venv/bin/python manage.py create_api_key --name website --scopes events:write",
        sample=Sample("Try the API in its reference", "docs"),
    )

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("contacts.add_apikey")

    def may_revoke(self, request: HttpRequest) -> bool:
        return request.user.has_perm("contacts.change_apikey")

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).defer("key_hash", "former_hash").select_related("service_account")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(request, {"tab": "keys", **(extra_context or {})})

    def furnish(self, rows: list[Any], *, now: datetime) -> None:
        for key in rows:
            key.shown_state = state_of(key, now)

    @admin.display(description="Name")
    def key_name(self, key: ApiKey) -> SafeString:
        return stacked(key.name, SHORT_KINDS.get(key.kind, key.kind))

    @admin.display(description="Begins with")
    def starts_with(self, key: ApiKey) -> SafeString:
        return format_html('<code class="cl-code cl-time">{}…</code>', key.prefix)

    @admin.display(description="May")
    def may_do(self, key: ApiKey) -> str | SafeString:
        said = "; ".join(SCOPES.get(scope, scope) for scope in key.scopes)
        return said[:1].upper() + said[1:] if said else NOTHING

    @admin.display(description="Created")
    def created(self, key: ApiKey) -> SafeString:
        return moment(key.created_at)

    @admin.display(description="Last used")
    def last_used(self, key: ApiKey) -> SafeString:
        return moment(key.last_used_at)

    @admin.display(description="Expires")
    def expires(self, key: ApiKey) -> str | SafeString:
        return moment(key.expires_at) if key.expires_at else "never"

    @admin.display(description="State")
    def standing(self, key: Any) -> SafeString:
        return key.shown_state

    def record(self, request: HttpRequest, row: ApiKey, *, now: datetime) -> dict[str, Any]:
        return {
            "name": row.name,
            "facts": [
                ("State", state_of(row, now)),
                ("Kind", KINDS.get(row.kind, row.kind)),
                ("Begins with", self.starts_with(row)),
                ("May", scopes_in_words(row.scopes)),
                ("Created", moment(row.created_at)),
                ("Last used", moment(row.last_used_at)),
                ("Expires", moment(row.expires_at) if row.expires_at else "never"),
                *key_changes.facts(row, now),
                *(write_key.facts(row) if row.kind != "secret" else []),
                *([("Revoked", moment(row.revoked_at))] if row.revoked_at else []),
            ],
            "may_revoke": row.revoked_at is None and self.may_revoke(request),
            **write_key.narrowing(row, may_change=self.may_revoke(request)),
            **key_changes.context(row, now, may_change=self.may_revoke(request)),
        }

    # -- making and revoking --------------------------------------------------------------------------------------

    def get_urls(self) -> list[Any]:
        revoke = self.admin_site.admin_view(self.revoke_view)
        return [
            path("<int:pk>/revoke/", revoke, name="contacts_apikey_revoke"),
            path("<int:pk>/narrow/", self.admin_site.admin_view(self.narrow_view), name="contacts_apikey_narrow"),
            path(
                "<int:pk>/drop-secret/",
                self.admin_site.admin_view(write_key.drop_secret),
                name="contacts_apikey_drop_secret",
            ),
            *key_changes.urls(self),
            *accounts.urls(self),
            *installation.urls(self.admin_site),
            *super().get_urls(),
        ]

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = NewKey(request.POST or None, initial={"account": request.GET.get("account", "")})
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "New API key",
            "crumbs": self.crumbs("New key"),
            "form": form,
            "limits": [form["events"], form["origins"]],
            "of_secret": [form["limit"], form["account"]],
            "scopes": SCOPES.items(),
            "kinds": KINDS.items(),
        }
        now = clock.now()
        if request.method == "POST" and form.is_valid():
            try:
                with transaction.atomic():
                    context["key"] = form.make(now)
                context["ends"] = form.expires_at(now)
            except access.BadKeyRequest as error:
                form.add_error(None, str(error))
        response = TemplateResponse(request, "admin/contacts/api_key_new.html", context)
        response["Cache-Control"] = "no-store"  # the key is in this page and must not outlive it
        return response

    def narrow_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        if request.method != "POST" or not self.may_revoke(request):
            raise PermissionDenied
        answer = write_key.narrow(request, pk)
        if isinstance(answer, HttpResponse):
            return answer
        return self.change_view(request, str(pk), extra_context={"narrowing": answer})

    def revoke_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        if request.method != "POST" or not self.may_revoke(request):
            raise PermissionDenied
        with transaction.atomic():
            if access.revoke(pk, now=clock.now()):
                messages.success(request, "The key is revoked. Requests that use it are refused from now on.")
        return HttpResponseRedirect(reverse("admin:contacts_apikey_change", args=[pk]))


def state_of(key: ApiKey, now: datetime) -> SafeString:
    if key.revoked_at:
        return pill("Revoked", "bad")
    if key.expires_at and key.expires_at <= now:
        return pill("Expired", "bad")
    if key.service_account is not None and key.service_account.disabled_at is not None:
        return pill("Account disabled", "bad")
    if key.expires_at and key.expires_at <= now + SOON:
        return pill("Expires soon", "warn")
    if key_changes.is_overlapping(key, now):
        return pill("Two secrets", "info")
    return pill("Active", "good")


def scopes_in_words(scopes: list[str]) -> SafeString:
    """What each allows, in words and by its name."""
    if not scopes:
        return NOTHING
    rows = ((SCOPES.get(scope, scope).capitalize(), scope) for scope in scopes)
    return format_html(
        '<ul class="cl-plain-list">{}</ul>',
        format_html_join("", '<li>{} <code class="cl-code">{}</code></li>', rows),
    )
