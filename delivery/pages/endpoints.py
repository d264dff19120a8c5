"""Outgoing webhooks: whose servers hear of events, how they answer, and what was sent to them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.safestring import SafeString

from contacts import transactions
from contacts.awaited import EVERY
from contacts.pages.cells import NOTHING, moment, pill, stacked, tags
from contacts.pages.changelists import Empty, RecordAdmin
from delivery.models import WebhookEndpoint
from delivery.outgoing import endpoints
from delivery.outgoing.endpoints import BadEndpoint
from delivery.pages import endpoint_deeds, endpoint_log
from delivery.pages.endpoint_forms import EndpointForm, known_types, tell

WHY = {
    "by_hand": "Somebody disabled it. It hears of nothing new, and what is queued waits.",
    "gone": "Its server answered 410, which says that it is gone for good.",
    "failing": "Its server answered nothing well for five days.",
    "secret_lost": "Its secret cannot be read: SECRET_KEY was changed. Rotate the secret, then enable it.",
}


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(RecordAdmin):
    title_of_list = "Outgoing webhooks"
    nouns = ("outgoing webhook", "outgoing webhooks")
    list_display = ("name", "hears", "standing", "created")
    list_display_links = ("name",)
    ordering = ("-id",)
    record_template = "admin/delivery/endpoint.html"
    empty = Empty(
        "outbound",
        "No server hears of events yet",
        "A CRM, a shop or a data pipeline of yours can hear of events as they happen: signed, tried again for three "
        "days, and sent once more whenever you ask. Add its address and choose what it hears of.",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookEndpoint]:
        return super().get_queryset(request).exclude(state="removed")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(endpoints.ADD)

    def may_change(self, request: HttpRequest) -> bool:
        return request.user.has_perm(endpoints.CHANGE)

    @admin.display(description="Server")
    def name(self, row: WebhookEndpoint) -> SafeString:
        """The path of an address may hold a key: it stands on the page of whoever may change it alone."""
        host = urlsplit(row.url).netloc
        return stacked(row.description, host) if row.description else stacked(host)

    @admin.display(description="Hears of")
    def hears(self, row: WebhookEndpoint) -> str | SafeString:
        return "everything" if row.event_types == [EVERY] else tags(row.event_types)

    @admin.display(description="State")
    def standing(self, row: WebhookEndpoint) -> SafeString:
        return state_of(row)

    @admin.display(description="Added")
    def created(self, row: WebhookEndpoint) -> SafeString:
        return moment(row.created_at)

    def record(self, request: HttpRequest, row: WebhookEndpoint, *, now: datetime) -> dict[str, Any]:
        may_change = self.may_change(request)
        overlaps = row.old_secret_until is not None and row.old_secret_until > now
        return {
            "name": row.description or urlsplit(row.url).netloc,
            "facts": [
                ("State", state_of(row)),
                ("Address", row.url if may_change else f"{urlsplit(row.url).scheme}://{urlsplit(row.url).netloc}/…"),
                ("Hears of", "everything" if row.event_types == [EVERY] else tags(row.event_types, shown=100)),
                ("Personal data", "is sent" if row.include_personal_data else "is masked"),
                ("Old secret", moment(row.old_secret_until) if overlaps else NOTHING),
                ("Failing since", moment(row.failing_since)),
                ("Added", moment(row.created_at)),
                ("Changed", moment(row.changed_at)),
            ],
            "why_disabled": WHY.get(row.disabled_reason, "") if row.state == "disabled" else "",
            "rate": endpoint_log.rate(row.pk, now=now),
            "days": endpoint_log.DAYS,
            "counted": endpoint_log.COUNTED,
            "log": endpoint_log.log(row.pk, request.GET),
            "may_change": may_change,
            "may_remove": request.user.has_perm(endpoints.REMOVE),
            "spans": endpoint_deeds.SPANS,
        }

    # -- adding and changing --------------------------------------------------------------------------------------

    def get_urls(self) -> list[Any]:
        wrap = self.admin_site.admin_view
        return [
            path("<int:pk>/edit/", wrap(self.edit_view), name="delivery_webhookendpoint_edit"),
            path("<int:pk>/rotate/", wrap(self.rotate_view), name="delivery_webhookendpoint_rotate"),
            path("<int:pk>/deed/<str:deed>/", wrap(endpoint_deeds.do), name="delivery_webhookendpoint_deed"),
            path(
                "<int:pk>/replay/<uuid:delivery>/",
                wrap(endpoint_deeds.replay),
                name="delivery_webhookendpoint_replay",
            ),
            *super().get_urls(),
        ]

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = EndpointForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            given = form.cleaned_data
            try:
                made = transactions.run(lambda now: endpoints.add(**given, now=now))
            except BadEndpoint as error:
                tell(form, error)
            else:
                return self._secret(request, made, "New outgoing webhook", is_new=True)
        return self._form(request, form, "New outgoing webhook", "New", deed="Add it")

    def edit_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        if not self.may_change(request):
            raise PermissionDenied
        row = endpoint_deeds.found(pk)
        form = EndpointForm(request.POST or None, initial=EndpointForm.of(row))
        if request.method == "POST" and form.is_valid():
            given = form.cleaned_data
            try:
                transactions.run(lambda now: endpoints.change(pk, **given, now=now))
            except BadEndpoint as error:
                tell(form, error)
            else:
                return endpoint_deeds.back(request, pk, "Saved. What is queued goes to the new address, too.")
        return self._form(request, form, "Change the outgoing webhook", "Change", deed="Save")

    def rotate_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        if request.method != "POST" or not self.may_change(request):
            raise PermissionDenied
        endpoint_deeds.found(pk)
        made = transactions.run(lambda now: endpoints.rotate_secret(pk, now=now))
        return self._secret(request, made, "New secret", is_new=False)

    def _form(self, request: HttpRequest, form: EndpointForm, title: str, crumb: str, *, deed: str) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": title,
            "crumbs": self.crumbs(crumb),
            "form": form,
            "deed": deed,
            "known_types": known_types(),
        }
        return TemplateResponse(request, "admin/delivery/endpoint_form.html", context)

    def _secret(self, request: HttpRequest, made: endpoints.Made, title: str, *, is_new: bool) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": title,
            "crumbs": self.crumbs(title),
            "secret": made.secret,
            "pk": made.id,
            "is_new": is_new,
        }
        response = TemplateResponse(request, "admin/delivery/endpoint_secret.html", context)
        response["Cache-Control"] = "no-store"  # the secret is in this page and must not outlive it
        return response


def state_of(row: WebhookEndpoint) -> SafeString:
    if row.state == "disabled":
        return pill("Disabled", "plain" if row.disabled_reason == endpoints.BY_HAND else "bad")
    return pill("Failing", "warn") if row.failing_since else pill("Enabled", "good")
