"""The seed list: addresses of our own that see every language of a message as it would go out."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminEmailInputWidget, UnfoldAdminTextInputWidget

from contacts import transactions
from contacts.pages.cells import NOTHING, moment
from contacts.pages.changelists import Empty, RecordAdmin
from delivery.authoring import seeds
from delivery.authoring.seeds import BadSeed
from delivery.models import SeedAddress

EVERY_LANGUAGE = "Every language"
LIST = "admin:delivery_seedaddress_changelist"


class NewSeed(forms.Form):
    """What `seeds.keep` is asked; it says itself what it does not take."""

    email = forms.CharField(max_length=320, widget=UnfoldAdminEmailInputWidget, label="Email address")
    locale = forms.CharField(
        max_length=35,
        required=False,
        widget=UnfoldAdminTextInputWidget,
        label="Language",
        help_text="Such as de or pt-BR: only those mails. Left empty, every language comes.",
    )
    note = forms.CharField(
        max_length=seeds.LONGEST_NOTE,
        required=False,
        widget=UnfoldAdminTextInputWidget,
        label="Note",
        help_text="Whose mailbox it is, or at which provider",
    )


@admin.register(SeedAddress)
class SeedAddressAdmin(RecordAdmin):
    title_of_list = "Seed list"
    nouns = ("seed address", "seed addresses")
    list_display = ("email", "language", "remark", "since")
    list_display_links = ("email",)
    ordering = ("email",)
    search_fields = ("email__istartswith",)
    search_help_text = "How the address begins"
    actions = ("remove_selected",)
    record_template = "admin/delivery/seed.html"
    empty = Empty(
        "inbox",
        "Nobody is on the seed list",
        "Add mailboxes of your own at the providers that your readers use. From the editor of a template, or when a "
        "journey is tried, they get every language just as it would go out: no cap, no counter and no experiment.",
    )

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("delivery.add_seedaddress")

    def has_remove_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("delivery.delete_seedaddress")

    @admin.display(description="Gets")
    def language(self, row: SeedAddress) -> str:
        return row.locale or EVERY_LANGUAGE

    @admin.display(description="Note")
    def remark(self, row: SeedAddress) -> str:
        return row.note or NOTHING

    @admin.display(description="Since")
    def since(self, row: SeedAddress) -> SafeString:
        return moment(row.created_at)

    def record(self, request: HttpRequest, row: SeedAddress, **_: Any) -> dict[str, Any]:
        return {
            "name": row.email,
            "facts": [("Gets", self.language(row)), ("Note", self.remark(row)), ("Since", self.since(row))],
            "may_remove": self.has_remove_permission(request),
        }

    # -- adding and removing --------------------------------------------------------------------------------------

    def get_urls(self) -> list[Any]:
        remove = self.admin_site.admin_view(self.remove_view)
        return [path("<int:pk>/remove/", remove, name="delivery_seedaddress_remove"), *super().get_urls()]

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """An address that is on the list already gets the new language and note."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = NewSeed(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                seed = transactions.run(lambda now: seeds.keep(**form.cleaned_data, now=now))
            except BadSeed as error:
                for fault in error.faults:
                    form.add_error(str(fault.loc[0]), fault.msg[:1].upper() + fault.msg[1:] + ".")
            else:
                messages.success(request, f"{seed.email} is on the seed list.")
                return HttpResponseRedirect(reverse(LIST))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Add a seed address",
            "crumbs": self.crumbs("Add an address"),
            "form": form,
        }
        return TemplateResponse(request, "admin/delivery/seed_new.html", context)

    def remove_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        if request.method != "POST" or not self.has_remove_permission(request):
            raise PermissionDenied
        row = SeedAddress.objects.filter(pk=min(pk, 2**62)).first()
        if row is None:
            raise Http404("There is no such address")
        _drop([row.pk])
        messages.success(request, f"{row.email} gets no more mails of the seed list.")
        return HttpResponseRedirect(reverse(LIST))

    @admin.action(description="Take the selected ones off the list", permissions=["remove"])
    def remove_selected(self, request: HttpRequest, queryset: QuerySet) -> None:
        removed = _drop(list(queryset.values_list("pk", flat=True)[: seeds.MOST]))
        messages.success(request, f"Taken off the list: {removed}.")


def _drop(ids: list[int]) -> int:
    return transactions.run(lambda now: sum(seeds.drop(seed_id) for seed_id in ids))
