"""Suppressions: addresses that are not written to. They can be added and released, never deleted."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminEmailInputWidget, UnfoldAdminTextInputWidget

from contacts import clock
from contacts.pages.cells import NOTHING, link, moment, pill, stacked
from contacts.pages.changelists import Empty, RecordAdmin
from delivery import addresses, suppression
from delivery.models import Address, Suppression

SCOPES = {
    "all": "Everything, also receipts and passwords",
    "email": "Marketing email",
    "topic": "Marketing email of one topic",
}
REASONS = {
    "unsubscribe": ("Unsubscribed", "warn"),
    "hard_bounce": ("Hard bounce", "bad"),
    "soft_bounce": ("Soft bounces", "warn"),
    "complaint": ("Spam complaint", "bad"),
    "manual": ("By hand", "info"),
    "provider": ("By the provider", "warn"),
}


class NewSuppression(forms.Form):
    address = forms.EmailField(widget=UnfoldAdminEmailInputWidget, label="Email address")
    scope = forms.ChoiceField(choices=list(SCOPES.items()), initial="email", widget=forms.RadioSelect)
    topic = forms.SlugField(
        required=False, widget=UnfoldAdminTextInputWidget, help_text="Only for one topic: its name, as journeys use it"
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("scope") == "topic" and not data.get("topic"):
            self.add_error("topic", "Say which topic.")
        return data

    @property
    def chosen_scope(self) -> str:
        scope = self.cleaned_data["scope"]
        return self.cleaned_data["topic"] if scope == "topic" else scope


class StandingFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "standing"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        return [("yes", "Standing"), ("no", "Released")]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if self.value() not in {"yes", "no"}:
            return queryset
        return queryset.filter(released_at__isnull=self.value() == "yes")


class ReasonFilter(admin.SimpleListFilter):
    title = "reason"
    parameter_name = "reason"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        return [(reason, words) for reason, (words, _) in REASONS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.filter(reason=self.value()) if self.value() else queryset


@admin.register(Suppression)
class SuppressionAdmin(RecordAdmin):
    list_display = ("address_shown", "scope_words", "reason_pill", "source", "since", "standing")
    list_display_links = ("address_shown",)
    list_select_related = ("address",)
    list_filter = (StandingFilter, ReasonFilter)
    ordering = ("-created_at", "-id")
    search_fields = ("address",)
    search_help_text = "An address, exactly"
    actions = ("release_selected",)
    record_template = "admin/delivery/suppression.html"
    empty = Empty(
        "block",
        "Nobody is suppressed",
        "Unsubscribes, hard bounces and complaints come here by themselves, and nothing is sent to these addresses.",
    )

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("delivery.add_suppression")

    def has_release_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("delivery.change_suppression")

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        known = Address.objects.filter(channel="email", key_hash__in=addresses.keys("email", term))
        return queryset.filter(address__in=known), False

    @admin.display(description="Address")
    def address_shown(self, row: Suppression) -> SafeString:
        return stacked(shown(row.address), row.address.channel)

    @admin.display(description="Stops")
    def scope_words(self, row: Suppression) -> str:
        return scope_words(row.scope)

    @admin.display(description="Reason")
    def reason_pill(self, row: Suppression) -> SafeString:
        return pill(*REASONS.get(row.reason, (row.reason, "plain")))

    @admin.display(description="Since")
    def since(self, row: Suppression) -> SafeString:
        return moment(row.created_at)

    @admin.display(description="State")
    def standing(self, row: Suppression) -> SafeString:
        return pill("Released", "plain") if row.released_at else pill("Standing", "bad")

    @admin.action(description="Release the selected addresses", permissions=["release"])
    def release_selected(self, request: HttpRequest, queryset: QuerySet) -> None:
        released = sum(_release(row, request) for row in queryset.select_related("address")[:500])
        messages.success(request, f"Released: {released}. These addresses may be written to again.")

    def record(self, request: HttpRequest, row: Suppression, *, now: datetime) -> dict[str, Any]:
        cause = link("the message that led to it", reverse("admin:delivery_message_change", args=[row.message_id or 0]))
        return {
            "name": shown(row.address),
            "facts": [
                ("State", self.standing(row)),
                ("Stops", scope_words(row.scope)),
                ("Reason", self.reason_pill(row)),
                ("Came by", row.source),
                ("Since", moment(row.created_at, seconds=True)),
                ("Led to by", cause if row.message_id else NOTHING),
                *(
                    [("Released", moment(row.released_at, seconds=True)), ("Released by", row.released_by)]
                    if row.released_at
                    else []
                ),
            ],
            "may_release": row.released_at is None and self.has_release_permission(request),
        }

    # -- adding and releasing -------------------------------------------------------------------------------------

    def get_urls(self) -> list[Any]:
        release = self.admin_site.admin_view(self.release_view)
        return [path("<int:pk>/release/", release, name="delivery_suppression_release"), *super().get_urls()]

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Not inside a transaction: the door commits, then waits until no request to the address can start."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = NewSuppression(request.POST or None)
        if request.method == "POST" and form.is_valid():
            suppression.suppress(
                channel="email",
                address=form.cleaned_data["address"],
                scope=form.chosen_scope,
                reason="manual",
                source="admin",
                now=clock.now(),
            )
            messages.success(request, f"Nothing more is sent to {form.cleaned_data['address']}.")
            return HttpResponseRedirect(reverse("admin:delivery_suppression_changelist"))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Suppress an address",
            "crumbs": self.crumbs("Suppress an address"),
            "form": form,
            "scopes": SCOPES.items(),
        }
        return TemplateResponse(request, "admin/delivery/suppression_new.html", context)

    def release_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        if request.method != "POST" or not self.has_release_permission(request):
            raise PermissionDenied
        row = Suppression.objects.select_related("address").filter(pk=pk).first()
        if row is not None and _release(row, request):
            messages.success(request, f"Released: {shown(row.address)} may be written to again.")
        return HttpResponseRedirect(reverse("admin:delivery_suppression_change", args=[pk]))


def _release(row: Suppression, request: HttpRequest) -> int:
    """The suppressions of this address and scope; an erased address cannot be named, and so never released here."""
    if row.released_at is not None or not row.address.shown:
        return 0
    return suppression.release(
        channel=row.address.channel,
        address=row.address.shown,
        scope=row.scope,
        by=request.user.get_username(),
        now=clock.now(),
    )


def shown(address: Address) -> str:
    return address.shown or f"Erased address {address.pk}"


def scope_words(scope: str) -> str:
    if scope == "all":
        return "Everything"
    return f"Marketing {scope}" if scope in {"email", "sms", "push"} else f"Topic {scope}"
