"""One person, several profiles: conflicts that wait for somebody's judgement, merging two by hand, and the ledger of
merges, from which each can be undone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.safestring import SafeString

from contacts import merging, transactions
from contacts.merging import NotUndone, Unmergeable, conflicts
from contacts.models import Contact, ContactEvent, ContactIdentity, ContactMerge
from contacts.pages import floors
from contacts.pages.cells import link, moment, pill
from contacts.pages.changelists import Empty, RecordAdmin
from contacts.pages.contact_deeds import page_of
from contacts.pages.contacts import contact_ids_of, full_name, names_of
from contacts.pages.floors import Sample

WAYS = {"api": "The API", "admin": "By hand", "segment": "A visitor said who they are", "import": "An import"}
COUNTED = 10_000
SHOWN_FIELDS = ("external_id", "email", "phone", "timezone", "locale", "region", "owner_email")

floors.register_action(
    "Merge with another", "admin:contacts_contact_merge", "contacts.change_contact", "merge", place=50
)


@dataclass(frozen=True)
class Row:
    """What the two profiles say of one thing, the survivor's first."""

    name: str
    one: Any
    other: Any
    differs: bool


class WayFilter(admin.SimpleListFilter):
    title = "way"
    parameter_name = "source"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        return list(WAYS.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.filter(source=self.value()) if self.value() in WAYS else queryset


@admin.register(ContactMerge)
class ContactMergeAdmin(RecordAdmin):
    title_of_list = "Merges"
    nouns = ("merge", "merges")
    list_display = ("survivor", "absorbed", "way", "when", "standing")
    list_display_links = ("when",)
    list_filter = (WayFilter,)
    scanning = ("source",)
    list_before_template = "admin/contacts/merge_tabs.html"
    ordering = ("-id",)
    record_template = "admin/contacts/merge.html"
    empty = Empty(
        "merge",
        "Nobody was merged yet",
        "A visitor's history becomes a contact's when they say who they are. Two contacts are merged by hand, from the "
        "page of one of them, or over the API.",
        deed=Sample("Look at your contacts", "admin:contacts_contact_changelist", "contacts.view_contact"),
    )

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(request, {"tab": "merges", **(extra_context or {})})

    def furnish(self, rows: list[Any], *, now: datetime) -> None:
        names = names_of([contact_id for row in rows for contact_id in (row.survivor_id, row.absorbed_id)])
        for row in rows:
            row.shown = {contact_id: names.get(contact_id, "") for contact_id in (row.survivor_id, row.absorbed_id)}

    @admin.display(description="Goes on")
    def survivor(self, row: Any) -> SafeString:
        return _person(row.survivor_id, row.shown)

    @admin.display(description="Merged into it")
    def absorbed(self, row: Any) -> SafeString:
        return _person(row.absorbed_id, row.shown)

    @admin.display(description="How")
    def way(self, row: ContactMerge) -> str:
        return WAYS.get(row.source, row.source)

    @admin.display(description="When")
    def when(self, row: ContactMerge) -> SafeString:
        return moment(row.merged_at, seconds=True)

    @admin.display(description="State")
    def standing(self, row: ContactMerge) -> SafeString:
        return pill("Undone", "plain") if row.undone_at else pill("Stands", "good")

    def record(self, request: HttpRequest, row: Any, *, now: datetime) -> dict[str, Any]:
        self.furnish([row], now=now)
        facts = [
            ("State", self.standing(row)),
            ("Goes on", self.survivor(row)),
            ("Merged into it", self.absorbed(row)),
            ("How", self.way(row)),
            ("By", row.actor.partition(":")[2] or row.actor or "nobody in particular"),
            ("When", self.when(row)),
        ]
        if row.undone_at:
            facts += [("Undone", moment(row.undone_at, seconds=True)), ("Undone by", row.undone_by.partition(":")[2])]
        written = row.before if isinstance(row.before, dict) else {}
        changed = {**written.get("fields", {}), **written.get("attributes", {})}
        return {
            "name": f"Merge {row.pk}",
            "facts": facts,
            "changed": [(name, old, new) for name, (old, new) in sorted(changed.items())],
            "may_undo": row.undone_at is None and request.user.has_perm("contacts.change_contact"),
        }

    # -- the pages beside the ledger -------------------------------------------------------------------------------

    def get_urls(self) -> list[Any]:
        wrap = self.admin_site.admin_view
        return [
            path("conflicts/", wrap(self.conflicts_view), name="contacts_contactmerge_conflicts"),
            path("of/<int:pk>/", wrap(self.merge_view), name="contacts_contact_merge"),
            path("<int:pk>/undo/", wrap(self.undo_view), name="contacts_contactmerge_undo"),
            *super().get_urls(),
        ]

    def conflicts_view(self, request: HttpRequest) -> HttpResponse:
        """GET: the open ones. POST `apart`: that pair is two people."""
        if not (self.has_view_permission(request) and request.user.has_perm("contacts.view_contact")):
            raise PermissionDenied
        if request.method == "POST":
            return self._leave_apart(request)
        page = conflicts.open_conflicts(before=_number(request.GET.get("before", "")) or None)
        names = names_of([contact for each in page.conflicts for contact in (each.contact_id, each.other_id)])
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Identity conflicts",
            "crumbs": self.crumbs("Identity conflicts"),
            "tab": "conflicts",
            "before": page.before,
            "is_first": "before" not in request.GET,
            "may_merge": request.user.has_perm("contacts.change_contact"),
            "conflicts": [
                {
                    "row": each,
                    "contact": names.get(each.contact_id) or f"Contact {each.contact_id}",
                    "other": names.get(each.other_id) or f"Contact {each.other_id}",
                }
                for each in page.conflicts
            ],
        }
        return TemplateResponse(request, "admin/contacts/conflicts.html", context)

    def _leave_apart(self, request: HttpRequest) -> HttpResponse:
        if not request.user.has_perm("contacts.change_contact"):
            raise PermissionDenied
        conflict = conflicts.find(_number(request.POST.get("apart", "")))
        if conflict is None:
            messages.warning(request, "That conflict was settled already.")
        else:
            transactions.run(lambda now: conflicts.leave_apart(conflict, now=now))
            messages.success(request, "They stay two people; this name is not asked about again.")
        return HttpResponseRedirect(reverse("admin:contacts_contactmerge_conflicts"))

    def merge_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """GET: find the other profile, or with `?with=` compare the two. POST `with`: merge them."""
        if not (request.user.has_perm("contacts.change_contact") and request.user.has_perm("contacts.view_contact")):
            raise PermissionDenied
        contact = _living(pk)
        if contact is None:
            raise Http404("There is no such contact")
        other = _living(_number((request.POST if request.method == "POST" else request.GET).get("with", "")))
        if request.method == "POST":
            if other is None:
                raise Http404("There is no such contact")
            return self._merge(request, contact, other)
        term = request.GET.get("q", "").strip()[:255].replace("\x00", "")
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Merge with another",
            "crumbs": [
                ("Contacts", reverse("admin:contacts_contact_changelist")),
                (str(contact), page_of(contact.pk)),
                ("Merge", ""),
            ],
            "contact": contact,
            "term": term,
            "back": page_of(contact.pk),
            "found": _found(term, contact.pk) if term else [],
            **(_comparison(contact, other) if other and other.pk != contact.pk else {}),
        }
        return TemplateResponse(request, "admin/contacts/merge_new.html", context)

    def _merge(self, request: HttpRequest, contact: Contact, other: Contact) -> HttpResponse:
        try:
            merges = transactions.run(
                lambda now: merging.unite([contact.pk, other.pk], source="admin", actor=_actor(request), now=now)
            )
        except Unmergeable as error:
            messages.error(request, f"Nothing was merged: {error}.")
            return HttpResponseRedirect(page_of(contact.pk))
        if not merges:
            messages.warning(request, "They were one contact already.")
            return HttpResponseRedirect(page_of(contact.pk))
        messages.success(request, "The two are one contact now. It can be undone under Merges.")
        return HttpResponseRedirect(page_of(merges[0].survivor_id))

    def undo_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        if request.method != "POST" or not request.user.has_perm("contacts.change_contact"):
            raise PermissionDenied
        try:
            transactions.run(lambda now: merging.undo(pk, actor=_actor(request), now=now))
            messages.success(request, "They are two contacts again.")
        except NotUndone as error:
            messages.error(request, f"The merge stays: {error}.")
        return HttpResponseRedirect(reverse("admin:contacts_contactmerge_change", args=[pk]))


def _person(contact_id: int, names: dict[int, str]) -> SafeString:
    return link(names.get(contact_id) or f"Contact {contact_id}", page_of(contact_id))


def _living(contact_id: int) -> Contact | None:
    return Contact.objects.filter(pk=contact_id, merged_into=None, erased_at=None).first() if contact_id else None


def _number(text: str) -> int:
    """A row's id; 0 for what is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else 0


def _found(term: str, contact_id: int) -> Sequence[Contact]:
    """The contacts whom this name means, or whose address or external id begins so."""
    people = Contact.objects.filter(merged_into=None, erased_at=None).exclude(pk=contact_id)
    exact = list(people.filter(pk__in=contact_ids_of(term))[:10])
    known = {contact.pk for contact in exact}
    begins = people.filter(email__startswith=term) | people.filter(external_id__startswith=term)
    return [*exact, *(contact for contact in begins.order_by("pk")[:10] if contact.pk not in known)]


def _comparison(contact: Contact, other: Contact) -> dict[str, Any]:
    """The two profiles side by side, the one that goes on first."""
    named = ContactIdentity.objects.filter(contact_id__in=[contact.pk, other.pk]).exclude(kind="anonymous_id")
    known = dict(named.values_list("contact_id").annotate(Count("id")))
    survivor, absorbed = sorted((contact, other), key=lambda each: (each.pk not in known, each.created_at, each.pk))
    rows = [
        _row(name.replace("_", " ").capitalize(), getattr(survivor, name), getattr(absorbed, name))
        for name in SHOWN_FIELDS
        if getattr(survivor, name) or getattr(absorbed, name)
    ]
    one, theirs = survivor.attributes, absorbed.attributes
    rows += [_row(name, one.get(name), theirs.get(name)) for name in sorted(one.keys() | theirs.keys())[:100]]
    return {
        "other": other,
        "survivor": survivor,
        "absorbed": absorbed,
        "names": [full_name(survivor), full_name(absorbed)],
        "events": [_events(survivor.pk), _events(absorbed.pk)],
        "rows": rows,
    }


def _row(name: str, one: Any, other: Any) -> Row:
    return Row(name, one, other, differs=bool(one and other and one != other))


def _events(contact_id: int) -> str:
    count = ContactEvent.objects.filter(contact_id=contact_id)[: COUNTED + 1].count()
    return f"{count:,}" if count <= COUNTED else f"more than {COUNTED:,}"


def _actor(request: HttpRequest) -> str:
    return f"staff:{request.user.get_username()}"
