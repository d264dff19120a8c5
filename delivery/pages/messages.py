"""Messages: what was meant to be sent, what became of it, and why. The ledger is append-only; these pages read it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from contacts import clock, personal
from contacts.pages import floors
from contacts.pages.cells import NOTHING, TONES, link, moment, pill, stacked
from contacts.pages.changelists import Empty, RecordAdmin
from contacts.pages.contacts import contact_ids_of, names_of
from contacts.pages.floors import Sample
from delivery import providers, wording
from delivery.authoring import previews
from delivery.models import Feedback, Message, SandboxMail, SendLogEntry
from delivery.pages import doubts, replaying
from delivery.pages.message_filters import (
    ChannelFilter,
    ClassFilter,
    DayFilter,
    JourneyFilter,
    ProviderFilter,
    ReasonFilter,
    StateFilter,
    StepFilter,
    TemplateFilter,
)


@admin.register(Message)
class MessageAdmin(RecordAdmin):
    list_display = ("what", "who", "outcome", "journey", "created")
    list_display_links = ("what",)
    list_select_related = ("template_version__template",)
    list_filter = (
        StateFilter, ReasonFilter, DayFilter, ProviderFilter, JourneyFilter, StepFilter, TemplateFilter, ChannelFilter,
        ClassFilter,
    )  # fmt: skip
    scanning = ("template",)
    ordering = ("-id",)
    search_fields = ("contact_id",)
    search_help_text = "A contact's email or external id"
    actions = ("replay_selected",)
    record_template = "admin/delivery/message.html"
    empty = Empty(
        "send",
        "No messages yet",
        "Each email that a journey wants to send appears here, with what became of it.",
        deed="gallery",
        sample=Sample("Write a template", "admin:delivery_template_add", "delivery.add_template"),
    )

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        if not search_term.strip():
            return queryset, False
        return queryset.filter(contact_id__in=contact_ids_of(search_term)), False

    def furnish(self, rows: list[Any], *, now: datetime) -> None:
        contacts = names_of({message.contact_id for message in rows})
        journeys = floors.names("workflow", [message.workflow_id for message in rows])
        states = states_of([message.pk for message in rows])
        for message in rows:
            message.shown_contact = contacts.get(message.contact_id, f"Contact {message.contact_id}")
            message.shown_journey = journeys.get(message.workflow_id)
            message.shown_state = states.get(message.pk, ("queued", "", "", None, "", message.created_at))

    @admin.display(description="Message")
    def what(self, message: Message) -> SafeString:
        template = message.template_version
        return stacked(template.template.name, f"{message.channel} · {template}")

    @admin.display(description="To")
    def who(self, message: Any) -> SafeString:
        return link(message.shown_contact, reverse("admin:contacts_contact_change", args=[message.contact_id]))

    @admin.display(description="Outcome")
    def outcome(self, message: Any) -> SafeString:
        state, why, provider, _, said, _ = message.shown_state
        words = f"{providers.title(provider)} said: {said}" if said else ""
        shown = pill(state.replace("_", " ").capitalize(), TONES.get(state, "plain"))
        return stacked(shown, wording.reason(why) if why else words[:80])

    @admin.display(description="Journey")
    def journey(self, message: Any) -> SafeString:
        name = message.shown_journey
        if name is None:
            return NOTHING
        return stacked(link(name.text, name.url), message.step)

    @admin.display(description="Asked for")
    def created(self, message: Message) -> SafeString:
        return moment(message.created_at, seconds=True)

    def has_replay_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("delivery.change_message")

    @admin.action(description="Send the selected ones anew that were refused", permissions=["replay"])
    def replay_selected(self, request: HttpRequest, queryset: QuerySet) -> None:
        ids = list(queryset.order_by("pk").values_list("pk", flat=True)[: replaying.IN_ONE_REQUEST + 1])
        replaying.replay(ids[: replaying.IN_ONE_REQUEST], request)
        if len(ids) > replaying.IN_ONE_REQUEST:
            messages.info(
                request, f"These were the oldest {replaying.IN_ONE_REQUEST:,}. Select again for the next ones."
            )

    def get_urls(self) -> list[Any]:
        wrap = self.admin_site.admin_view
        return [
            path("in-doubt/", wrap(self.in_doubt_view), name="delivery_message_in_doubt"),
            path("<int:pk>/replay/", wrap(self.replay_view), name="delivery_message_replay"),
            *super().get_urls(),
        ]

    def replay_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        if request.method != "POST" or not self.has_replay_permission(request):
            raise PermissionDenied
        replaying.replay([pk], request)
        return HttpResponseRedirect(reverse("admin:delivery_message_change", args=[pk]))

    def in_doubt_view(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Messages in doubt",
            "crumbs": self.crumbs("In doubt"),
            **doubts.context(now=clock.now()),
        }
        return TemplateResponse(request, "admin/delivery/in_doubt.html", context)

    def record(self, request: HttpRequest, row: Message, *, now: datetime) -> dict[str, Any]:
        state, why, provider, code, said, changed_at = states_of([row.pk]).get(
            row.pk, ("queued", "", "", None, "", row.created_at)
        )
        contact = names_of({row.contact_id}).get(row.contact_id, f"Contact {row.contact_id}")
        journey = floors.names("workflow", [row.workflow_id]).get(row.workflow_id or 0)
        enrolment = floors.names("enrolment", [row.enrolment_id]).get(row.enrolment_id or 0)
        version = row.template_version
        entries: list[Any] = list(SendLogEntry.objects.filter(message=row).order_by("id"))
        for entry in entries:
            entry.deed = wording.DEEDS.get(entry.kind, entry.kind.replace("_", " ").capitalize())
            entry.why = wording.reason(entry.reason) if entry.reason else ""
            entry.found = wording.evidence(entry.evidence if isinstance(entry.evidence, dict) else {})
        heard: list[Any] = list(Feedback.objects.filter(message_id=row.pk).order_by("occurred_at", "id")[:200])
        for note in heard:
            note.words, note.tone = wording.feedback(note.kind)
            detail = note.detail if isinstance(note.detail, dict) else {}
            machine = detail.get("machine")
            sign = str(machine.get("sign", "")) if isinstance(machine, dict) else ""
            note.who = wording.who(note.kind, note.is_machine, sign)
            note.told = told(detail)
        answer = " ".join(str(part) for part in (code, said) if part)
        return {
            "name": f"{version.template.name} to {contact}",
            "state": state,
            "verdict": wording.verdict(state, why),
            "changed_at": changed_at,
            "explained": next((entry.found for entry in reversed(entries) if entry.kind == state and entry.found), ""),
            "provider": provider,
            "answer": answer,
            "facts": [
                ("To", link(contact, reverse("admin:contacts_contact_change", args=[row.contact_id]))),
                (
                    "Template",
                    format_html(
                        "{} {}",
                        link(
                            version.template.name, reverse("admin:delivery_template_change", args=[version.template_id])
                        ),
                        version,
                    ),
                ),
                ("Journey", link(journey.text, journey.url) if journey else NOTHING),
                ("Step", row.step or NOTHING),
                ("Path through it", link(enrolment.text, enrolment.url) if enrolment else NOTHING),
                ("Class", f"{row.message_class}{', free of the frequency cap' if row.override_cap else ''}"),
                ("Topic", row.topic or NOTHING),
                ("Lane and priority", f"{row.lane}, {row.priority}"),
                ("Asked for", moment(row.created_at, seconds=True)),
                ("Message id", format_html('<code class="cl-code">{}</code>', row.public_id)),
                ("Made once by", format_html('<code class="cl-code">{}</code>', row.idempotency_key)),
            ],
            "entries": entries,
            "heard": heard,
            "sent": previews.as_sent(row.public_id) if personal.may_be_seen() else None,
            "may_replay": state == "rejected" and not heard and self.has_replay_permission(request),
            "mail": SandboxMail.objects.filter(mid=row.public_id).values_list("pk", flat=True).first(),
            "documents": [("Data for the template", row.context)] if row.context else [],
        }


def told(detail: Mapping[str, Any]) -> str:
    """What a report says beside what it is: what was seen of a machine, a vendor's reason, a link."""
    machine = detail.get("machine")
    parts = [str(machine["evidence"])] if isinstance(machine, dict) and machine.get("evidence") else []
    parts += [str(detail[name]) for name in ("reason", "url", "agent") if detail.get(name)]
    return " · ".join(parts)[:300]


MessageState = tuple[str, str, str, int | None, str, datetime]


def states_of(message_ids: list[int]) -> dict[int, MessageState]:
    """(state, reason, provider, its code, its words, since when) of each message. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT message_id, state, reason, provider, provider_code, provider_said, changed_at
              FROM message_states WHERE message_id = ANY(%s)
            """,
            [message_ids],
        )
        return {row[0]: tuple(row[1:]) for row in cursor.fetchall()}
