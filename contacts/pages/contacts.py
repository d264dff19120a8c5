"""Contacts: a list that finds people fast, and one page that tells everything about a person."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.safestring import SafeString

from contacts import clock, identifiers, personal, timeline, timeline_sources  # noqa: F401  (registers its sources)
from contacts.models import Contact, ContactIdentity, ContactTag, Tag
from contacts.pages import contact_deeds, contact_edit, contact_facts, floors
from contacts.pages.cells import NOTHING, moment, pill, stacked, tags, zone
from contacts.pages.changelists import Empty, ReadOnlyAdmin
from contacts.pages.contact_facts import consents_of, tags_of
from contacts.pages.floors import Sample

TIMELINE_PAGE = 30
ATTRIBUTES_SHOWN = 200
IDENTIFIERS = ("email", "external_id", "phone", "anonymous_id")


def full_name(contact: Contact) -> str:
    """The person's name as far as attributes tell it, else empty."""
    known = contact.attributes if isinstance(contact.attributes, dict) else {}
    whole = known.get("name") or " ".join(str(known[key]) for key in ("first_name", "last_name") if known.get(key))
    return personal.name(str(whole).strip())


def initials(contact: Contact) -> str:
    parts = (full_name(contact) or str(contact)).replace("@", " ").split()
    return "".join(part[0] for part in parts[:2]).upper() or "?"


def local_time(contact: Contact, now: datetime) -> str:
    """The wall clock where the contact is, or empty when the zone is unknown."""
    tz = zone(contact.timezone)
    return f"{now.astimezone(tz):%a %H:%M}" if tz else ""


def names_of(contact_ids: Collection[int]) -> dict[int, str]:
    """What the lists call these contacts. One statement."""
    rows = Contact.objects.filter(pk__in=contact_ids).only("email", "external_id")
    return {contact.pk: str(contact) for contact in rows}


def contact_ids_of(term: str) -> list[int]:
    """The contacts whom an identifier means, however its capitals are written. One statement, by index."""
    spellings = {identifiers.canonical(kind, term) for kind in IDENTIFIERS}
    known = ContactIdentity.objects.filter(kind__in=IDENTIFIERS, value__in=spellings)
    return list(known.values_list("contact_id", flat=True)[:10])


class TagFilter(admin.SimpleListFilter):
    title = "tag"
    parameter_name = "tag"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        return [(str(tag.pk), tag.name) for tag in Tag.objects.order_by("name")[:200]]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        tag = self.value() or ""
        if not tag.isdecimal():
            return queryset
        return queryset.filter(pk__in=ContactTag.objects.filter(tag_id=tag).values("contact_id"))


@admin.register(Contact)
class ContactAdmin(ReadOnlyAdmin):
    list_display = ("person", "stage", "where", "tag_names", "created")
    list_display_links = ("person",)
    list_filter = (TagFilter,)
    ordering = ("-created_at", "-id")
    search_fields = ("email", "external_id")
    search_help_text = "Email or external id, or how it begins"
    empty = Empty(
        "contacts",
        "Nobody here yet",
        "Contacts come in with their first event, from an import, or over the API. In a terminal:",
        ".venv/bin/python manage.py import_contacts contacts.csv",
        deed=Sample("Import a file", "admin:contacts_importrun_add", "contacts.import_contacts"),
        sample=Sample("Follow a website", "admin:contacts_website", "contacts.view_apikey"),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).filter(merged_into=None, erased_at=None)

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        """An identifier, exactly (however it is spelt) or by its beginning: both can use an index. Who sees no address
        has to know it whole: letter by letter it could be found out."""
        term = search_term.strip()
        if not term:
            return queryset, False
        if not personal.may_be_seen():
            return queryset.filter(pk__in=contact_ids_of(term)), False
        begins = Q(email__startswith=term) | Q(external_id__startswith=term)
        return queryset.filter(begins | Q(pk__in=contact_ids_of(term))), False

    def furnish(self, rows: list[Any], *, now: datetime) -> None:
        ids = [contact.pk for contact in rows]
        stages, names = floors.stages(ids), tags_of(ids)
        for contact in rows:
            contact.shown_stage = stages.get(contact.pk, "")
            contact.shown_tags = names.get(contact.pk, [])
            contact.shown_time = local_time(contact, now)

    @admin.display(description="Contact")
    def person(self, contact: Contact) -> SafeString:
        name = full_name(contact)
        if name:
            return stacked(name, str(contact))
        return stacked(str(contact), personal.address(contact.external_id) if contact.email else "")

    @admin.display(description="Stage")
    def stage(self, contact: Any) -> SafeString:
        return pill(contact.shown_stage, "info") if contact.shown_stage else NOTHING

    @admin.display(description="Local time")
    def where(self, contact: Any) -> SafeString:
        if not contact.timezone:
            return NOTHING
        return stacked(contact.shown_time or "Unknown zone", contact.timezone)

    @admin.display(description="Tags")
    def tag_names(self, contact: Any) -> SafeString:
        return tags(contact.shown_tags)

    @admin.display(description="Created")
    def created(self, contact: Contact) -> SafeString:
        return moment(contact.created_at)

    # -- the page of one contact ----------------------------------------------------------------------------------

    def get_urls(self) -> list[Any]:
        return [
            path(
                "<path:object_id>/timeline/",
                self.admin_site.admin_view(self.timeline_view),
                name="contacts_contact_timeline",
            ),
            path("<int:pk>/edit/", self.admin_site.admin_view(self.edit_view), name="contacts_contact_edit"),
            path(
                "<int:pk>/audience/", self.admin_site.admin_view(self.audience_view), name="contacts_contact_audience"
            ),
            *super().get_urls(),
        ]

    def _contact(self, request: HttpRequest, object_id: str) -> Contact:
        if not self.has_view_permission(request):
            raise PermissionDenied
        contact = Contact.objects.filter(pk=unquote(object_id)).first() if object_id.isdecimal() else None
        if contact is None:
            raise Http404("There is no such contact")
        return contact

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        contact = self._contact(request, object_id)
        now = clock.now()
        consents = consents_of(contact.pk)
        context = {
            **self.admin_site.each_context(request),
            "crumbs": self.crumbs(contact),
            "title": str(contact),
            "opts": self.opts,
            "contact": contact,
            "name": full_name(contact),
            "initials": initials(contact),
            "local_time": local_time(contact, now),
            "stage": floors.stages([contact.pk]).get(contact.pk, ""),
            "marketing": next((row["state"] for row in consents if row["what"] == "Marketing"), ""),
            "panels": floors.panels(contact_id=contact.pk, now=now, asked=request.GET),
            "actions": floors.actions(request, contact.pk),
            "may_change": self._may_change(request, contact),
            "identities": ContactIdentity.objects.filter(contact_id=contact.pk).order_by("kind", "value")[:50],
            "conflicts": contact_facts.conflicts_of(contact.pk),
            "tags": tags_of([contact.pk]).get(contact.pk, []),
            "lists": contact_facts.lists_of(contact.pk),
            "segments": contact_facts.segments_of(contact.pk),
            "consents": consents,
            "consent_history": contact_facts.consent_history(contact.pk),
            "changes": contact_facts.changes_of(contact.pk),
            **contact_deeds.choices(contact.pk),
            "attributes": sorted(contact.attributes.items())[:ATTRIBUTES_SHOWN]
            if isinstance(contact.attributes, dict)
            else [],
            **self._timeline(request, contact, now),
        }
        return TemplateResponse(request, "admin/contacts/contact.html", context)

    def timeline_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """One more page of the timeline, as list items for the page that asked."""
        contact = self._contact(request, object_id)
        context = {"contact": contact, **self._timeline(request, contact, clock.now())}
        return TemplateResponse(request, "admin/contacts/timeline_entries.html", context)

    def _may_change(self, request: HttpRequest, contact: Contact) -> bool:
        gone = contact.merged_into_id is not None or contact.erased_at is not None
        return not gone and request.user.has_perm("contacts.change_contact")

    def edit_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        contact = self._changeable(request, pk)
        common = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "crumbs": [*self.crumbs(), (str(contact), contact_deeds.page_of(pk)), ("Edit", "")],
            "title": str(contact),
        }
        return contact_edit.edit(request, contact, common)

    def audience_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """POST: add or remove a tag, or put the contact into a list or take them out."""
        if request.method != "POST":
            raise PermissionDenied
        return contact_deeds.audience(request, self._changeable(request, pk))

    def _changeable(self, request: HttpRequest, pk: int) -> Contact:
        contact = self._contact(request, str(pk))
        if not self._may_change(request, contact):
            raise PermissionDenied
        return contact

    def _timeline(self, request: HttpRequest, contact: Contact, now: datetime) -> Mapping[str, Any]:
        known = {source.name: source.label for source in timeline.sources()}
        only = request.GET.get("only", "")
        only = only if only in known else ""
        try:
            shown = timeline.page(
                contact_id=contact.pk, only=only, cursor=request.GET.get("before", ""), limit=TIMELINE_PAGE
            )
        except timeline.BadCursor as error:
            raise Http404("There is no such page of the timeline") from error
        shown = timeline.marked(shown, contact_id=contact.pk, now=now)
        entries = tuple(_for_who_asks(request, each) for each in shown.entries)
        return {
            "timeline": replace(shown, entries=entries),
            "only": only,
            "sources": known,
            "tz": zone(contact.timezone),
        }


def _for_who_asks(request: HttpRequest, entry: timeline.Entry) -> timeline.Entry:
    return replace(
        entry,
        title=personal.address(entry.title),
        detail=personal.address(entry.detail),
        data=personal.facts(entry.data),
        url=entry.url if _may_follow(request, entry) else "",
    )


def _may_follow(request: HttpRequest, entry: timeline.Entry) -> bool:
    app, _, model = entry.url_shows.partition(".")
    return any(request.user.has_perm(f"{app}.{deed}_{model}") for deed in ("view", "change"))
