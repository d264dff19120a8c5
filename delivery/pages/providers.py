"""Providers, and the sandbox's inbox."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from contacts.pages.cells import NOTHING, link, moment, pill, stacked
from contacts.pages.changelists import Empty, RecordAdmin
from delivery import providers, trouble, wording
from delivery.models import Message, Provider, SandboxMail
from delivery.pages import provider_roles
from delivery.rates import stopping


@admin.register(Provider)
class ProviderAdmin(RecordAdmin):
    list_display = ("provider", "standing", "since", "why", "taken", "refused")
    list_display_links = ("provider",)
    ordering = ("name",)
    record_template = "admin/delivery/provider.html"
    empty = Empty("dns", "No provider is set up", "EMAIL_PROVIDER names the one that sends e-mails.")

    def may_resume(self, request: HttpRequest) -> bool:
        return request.user.has_perm("delivery.change_provider")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        provider_roles.enlist()
        return super().changelist_view(request, extra_context)

    def furnish(self, rows: list[Any], *, now: datetime) -> None:
        counts = provider_roles.lately([row.name for row in rows], now=now)
        for row in rows:
            row.shown_counts = counts[row.name]
            row.is_resting = row.resting_until is not None and row.resting_until > now

    @admin.display(description="Provider")
    def provider(self, row: Provider) -> SafeString:
        return stacked(providers.title(row.name), provider_roles.role(row.name))

    @admin.display(description="State")
    def standing(self, row: Any) -> SafeString:
        if row.stopped_at:
            return pill("Stopped", "bad")
        return pill("Resting", "warn") if row.is_resting else pill("Running", "good")

    @admin.display(description="Since")
    def since(self, row: Any) -> SafeString:
        if row.is_resting and not row.stopped_at:
            return stacked("until", moment(row.resting_until, seconds=True))
        return moment(row.stopped_at, seconds=True)

    @admin.display(description="Why")
    def why(self, row: Any) -> str | SafeString:
        if row.is_resting and not row.stopped_at:
            return f"It could not be reached, {row.failures} times in a row"
        return row.stopped_why or NOTHING

    @admin.display(description="Taken, 7 days")
    def taken(self, row: Any) -> str:
        return f"{row.shown_counts.sent:,}"

    @admin.display(description="Refused")
    def refused(self, row: Any) -> str:
        return f"{100 * provider_roles.refused_share(row.shown_counts):.1f}%"

    def record(self, request: HttpRequest, row: Any, *, now: datetime) -> dict[str, Any]:
        self.furnish([row], now=now)
        is_held = bool(row.stopped_at or row.is_resting)
        held = [("Since", self.since(row)), ("Why", self.why(row))] if is_held else []
        return {
            "name": providers.title(row.name),
            "is_resting": row.is_resting and not row.stopped_at,
            "taken_over_by": provider_roles.taken_over_by(row, now=now),
            "facts": [
                ("State", self.standing(row)),
                *held,
                ("Used for", provider_roles.role(row.name)),
                *provider_roles.abilities(row.name),
                ("Taken, 7 days", self.taken(row)),
                ("Refused", f"{row.shown_counts.of('rejected'):,} ({self.refused(row)})"),
            ],
            "may_resume": is_held and self.may_resume(request),
        }

    def get_urls(self) -> list[Any]:
        resume = self.admin_site.admin_view(self.resume_view)
        return [path("<str:name>/resume/", resume, name="delivery_provider_resume"), *super().get_urls()]

    def resume_view(self, request: HttpRequest, name: str) -> HttpResponse:
        if request.method != "POST" or not self.may_resume(request):
            raise PermissionDenied
        stopping.resume(name)
        trouble.forget()
        messages.success(request, f"{providers.title(name)} is used again; its queued messages go out now.")
        return HttpResponseRedirect(reverse("admin:delivery_provider_change", args=[name]))


@admin.register(SandboxMail)
class SandboxMailAdmin(RecordAdmin):
    """What the sandbox provider took instead of sending it."""

    title_of_list = "Sandbox inbox"
    nouns = ("mail", "mails")
    list_display = ("mail", "to_address", "received", "next_reaction")
    list_display_links = ("mail",)
    scanning = ("q",)
    ordering = ("-id",)
    search_fields = ("to_address__startswith",)
    search_help_text = "How an address begins"
    record_template = "admin/delivery/sandbox_mail.html"
    empty = Empty(
        "inbox",
        "The inbox is empty",
        "With the sandbox provider nothing leaves this machine: what journeys send is kept here to be read.",
        deed="gallery",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).defer("html", "attachments")

    @admin.display(description="Mail")
    def mail(self, row: SandboxMail) -> SafeString:
        return stacked(row.subject or "(no subject)", " ".join(row.text.split())[:90])

    @admin.display(description="Received")
    def received(self, row: SandboxMail) -> SafeString:
        return moment(row.received_at, seconds=True)

    @admin.display(description="What its reader does next")
    def next_reaction(self, row: SandboxMail) -> SafeString:
        return pill(wording.reaction(row.reaction), "info") if row.reaction and row.reacts_at else NOTHING

    def record(self, request: HttpRequest, row: SandboxMail, *, now: datetime) -> dict[str, Any]:
        message = Message.objects.filter(public_id=row.mid).only("pk").first()
        return {
            "name": row.subject or "(no subject)",
            "mail": row,
            "facts": [
                ("To", row.to_address),
                ("Received", moment(row.received_at, seconds=True)),
                (
                    "Message",
                    link("how it came to be sent", reverse("admin:delivery_message_change", args=[message.pk]))
                    if message
                    else NOTHING,
                ),
                ("Message id", format_html('<code class="cl-code">{}</code>', row.mid)),
            ],
            "documents": [("Headers", row.headers)] if row.headers else [],
        }
