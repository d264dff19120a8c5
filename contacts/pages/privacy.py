"""A person's rights in the admin: exported, erased, restricted, asked for their consent; and who did that to whom."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.safestring import SafeString

from contacts import opt_in, transactions
from contacts.models import Contact, ContactIdentity, PrivacyDeed
from contacts.opt_in import NobodyToAsk
from contacts.pages import floors
from contacts.pages.cells import link, moment, pill, words
from contacts.pages.changelists import Empty, ReadOnlyAdmin
from contacts.pages.contact_deeds import page_of
from contacts.pages.contacts import names_of
from contacts.pages.floors import Sample
from contacts.privacy import erasing, exporting, restricting, tombstones
from contacts.privacy.family import NobodyThere
from contacts.upserting import name_fault

DEEDS = {
    "export": ("Exported", "info"),
    "erase": ("Erased", "bad"),
    "restrict": ("Restricted", "warn"),
    "unrestrict": ("Unrestricted", "good"),
}
FORMS = {"zip": exporting.ZIP, "json": exporting.JSON}

View = Callable[[HttpRequest, Contact], HttpResponseBase]

floors.register_action(
    "Ask for confirmation", "admin:contacts_contact_opt_in", "contacts.change_contact", "mark_email_read", place=60
)
floors.register_action(
    "Export their data", "admin:contacts_contact_export", "contacts.export_contact", "download", place=70
)
floors.register_action(
    "Restrict processing", "admin:contacts_contact_restrict", "contacts.restrict_contact", "pause_circle", place=80
)
floors.register_action(
    "Erase", "admin:contacts_contact_erase", "contacts.erase_contact", "delete_forever", place=90, danger=True
)


def erased_before(*, contact_id: int, **_: Any) -> dict[str, Any] | None:
    """Whoever is new here under a name that an erased person had: so that nobody wonders at an old suppression."""
    known = ContactIdentity.objects.filter(contact_id=contact_id).exclude(kind="anonymous_id")
    found = {row.kind: at for row in known if (at := tombstones.erased_at(row.kind, row.value))}
    return {"names": [words(kind) for kind in sorted(found)], "at": max(found.values())} if found else None


floors.register_panel(floors.Panel("Erased before", "admin/contacts/panel_erased_before.html", erased_before, place=5))


class Typed(forms.Form):
    """`name` has to be typed as it is shown, so that nobody is erased by a slip of the hand."""

    name = forms.CharField(max_length=400)

    def __init__(self, *args: Any, expected: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.expected = expected

    def clean_name(self) -> str:
        name = self.cleaned_data["name"].strip()
        if name.casefold() != self.expected.strip().casefold():
            raise forms.ValidationError("That is not what is written above.")
        return name


class Topics(forms.Form):
    topics = forms.CharField(required=False, max_length=2000)

    def clean_topics(self) -> list[str]:
        names = [name.strip() for name in self.cleaned_data["topics"].split(",") if name.strip()]
        if any(name_fault(name) for name in names):
            raise forms.ValidationError("A topic cannot be called so.")
        return names


class DeedFilter(admin.SimpleListFilter):
    title = "deed"
    parameter_name = "deed"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        return [(deed, name) for deed, (name, _) in DEEDS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.filter(deed=self.value()) if self.value() in DEEDS else queryset


@admin.register(PrivacyDeed)
class PrivacyDeedAdmin(ReadOnlyAdmin):
    title_of_list = "Privacy"
    nouns = ("deed", "deeds")
    list_display = ("deed_pill", "person", "by", "when")
    list_display_links = None
    list_filter = (DeedFilter,)
    scanning = ("deed",)
    ordering = ("-id",)
    empty = Empty(
        "shield_person",
        "Nobody asked yet",
        "Exports, erasures and restrictions stand here, with who did them. A person's own page has the buttons.",
        deed=Sample("Look at your contacts", "admin:contacts_contact_changelist", "contacts.view_contact"),
    )

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def furnish(self, rows: list[Any], *, now: datetime) -> None:
        names = names_of([row.contact_id for row in rows])
        for row in rows:
            row.shown_name = names.get(row.contact_id, "")

    @admin.display(description="Deed")
    def deed_pill(self, row: PrivacyDeed) -> SafeString:
        return pill(*DEEDS[row.deed])

    @admin.display(description="Contact")
    def person(self, row: Any) -> SafeString:
        return link(row.shown_name or f"Contact {row.contact_id}", page_of(row.contact_id))

    @admin.display(description="By")
    def by(self, row: PrivacyDeed) -> str:
        kind, _, name = row.actor.partition(":")
        return {"key": f"API key {name}", "staff": name, "command": "a command", "retention": "retention"}.get(
            kind, row.actor
        )

    @admin.display(description="When")
    def when(self, row: PrivacyDeed) -> SafeString:
        return moment(row.at, seconds=True)

    # -- the pages behind the buttons of a contact ----------------------------------------------------------------

    def get_urls(self) -> list[Any]:
        pages: dict[str, tuple[str, View]] = {
            "erase": ("contacts.erase_contact", self.erase_view),
            "export": ("contacts.export_contact", self.export_view),
            "restrict": ("contacts.restrict_contact", self.restrict_view),
            "opt_in": ("contacts.change_contact", self.opt_in_view),
        }
        return [
            *(
                path(
                    f"of/<int:pk>/{name.replace('_', '-')}/",
                    self.admin_site.admin_view(_of_contact(permission, view)),
                    name=f"contacts_contact_{name}",
                )
                for name, (permission, view) in pages.items()
            ),
            *super().get_urls(),
        ]

    def erase_view(self, request: HttpRequest, contact: Contact) -> HttpResponseBase:
        """Not inside a transaction: the deed commits, then waits until no request to the person can start."""
        form = Typed(request.POST or None, expected=str(contact))
        if request.method == "POST" and form.is_valid():
            try:
                transactions.run(lambda now: erasing.erase(contact.pk, actor=_actor(request), now=now))
                messages.success(request, "The person is erased.")
            except NobodyThere:
                messages.warning(request, "The person was erased already.")
            return HttpResponseRedirect(page_of(contact.pk))
        return self._page(request, contact, "erase", "Erase", {"form": form})

    def export_view(self, request: HttpRequest, contact: Contact) -> HttpResponseBase:
        if request.method != "POST":
            return self._page(request, contact, "export", "Export their data", {})
        name = request.POST.get("form", "")
        try:
            out = exporting.file(contact.pk, form=FORMS.get(name, exporting.ZIP), actor=_actor(request))
        except NobodyThere as error:
            raise Http404 from error
        ending = name if name in FORMS else "zip"
        answer = FileResponse(out, as_attachment=True, filename=f"contact-{contact.public_id}.{ending}")
        answer["Cache-Control"] = "no-store"
        return answer

    def restrict_view(self, request: HttpRequest, contact: Contact) -> HttpResponseBase:
        is_restricted = contact.pk in restricting.barred([contact.pk])
        if request.method == "POST":
            deed = restricting.unrestrict if request.POST.get("deed") == "unrestrict" else restricting.restrict
            transactions.run(lambda now: deed(contact.pk, actor=_actor(request), source="admin", now=now))
            done = "is worked with again" if deed is restricting.unrestrict else "is kept, and no longer worked with"
            messages.success(request, f"Their data {done}.")
            return HttpResponseRedirect(page_of(contact.pk))
        return self._page(request, contact, "restrict", "Restrict processing", {"is_restricted": is_restricted})

    def opt_in_view(self, request: HttpRequest, contact: Contact) -> HttpResponseBase:
        form = Topics(request.POST or None)
        if request.method == "POST" and form.is_valid():
            topics, evidence = form.cleaned_data["topics"], {"form": "admin", "asked_by": request.user.get_username()}
            try:
                transactions.run(
                    lambda now: opt_in.request(contact.pk, topics=topics, evidence=evidence, source="admin", now=now)
                )
                messages.success(request, "The mail with the question is on its way.")
            except NobodyToAsk:
                messages.error(request, "There is no email address to ask.")
            return HttpResponseRedirect(page_of(contact.pk))
        return self._page(request, contact, "opt_in", "Ask for confirmation", {"form": form})

    def _page(
        self, request: HttpRequest, contact: Contact, deed: str, title: str, more: dict[str, Any]
    ) -> HttpResponse:
        here = [
            ("Contacts", reverse("admin:contacts_contact_changelist")),
            (str(contact), page_of(contact.pk)),
            (title, ""),
        ]
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": title,
            "crumbs": here,
            "contact": contact,
            "back": page_of(contact.pk),
            "deed": deed,
            **more,
        }
        return TemplateResponse(request, f"admin/contacts/privacy_{deed}.html", context)


def _of_contact(permission: str, view: View) -> Callable[..., HttpResponseBase]:
    """The view of a living contact, for whoever may."""

    def guarded(request: HttpRequest, pk: int) -> HttpResponseBase:
        if not request.user.has_perm(permission) or not request.user.has_perm("contacts.view_contact"):
            raise PermissionDenied
        contact = Contact.objects.filter(pk=pk, erased_at=None, merged_into=None).first()
        if contact is None:
            raise Http404("There is no such contact")
        return view(request, contact)

    return guarded


def _actor(request: HttpRequest) -> str:
    return f"staff:{request.user.get_username()}"
