"""Email templates: every saving makes a new version, the preview shows what a contact would get."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from contacts import clock
from contacts.models import Contact
from contacts.pages.cells import moment, pill, stacked
from contacts.pages.changelists import CarillonAdmin, Empty
from contacts.pages.contacts import contact_ids_of
from delivery.authoring import rendering, templates
from delivery.authoring.rendering import Rendered, UnableToRender, Words
from delivery.models import Template, TemplateVersion

_TRIGGER = re.compile(r"\{\{[{#^&]?\s*trigger\.(\w+)")
SAMPLE_FIELDS = {"email": "ana.ruiz@example.com", "timezone": "Europe/Madrid", "locale": "es-ES"}
SAMPLE_ATTRIBUTES = {
    "first_name": "Ana",
    "last_name": "Ruiz",
    "company": "Example Ltd",
    "job_title": "Director of Marketing",
    "country": "ES",
    "plan": "trial",
}
STARTER = Words(
    subject="Welcome, {{first_name}}",
    preheader="One thing to try today",
    html=(
        "<!doctype html>\n<html>\n  <body>\n    <h1>Welcome, {{first_name}}</h1>\n"
        "    <p>It is good to have you here.</p>\n  </body>\n</html>\n"
    ),
    text="",
)


class WordsForm(forms.Form):
    name = forms.CharField(max_length=200, widget=UnfoldAdminTextInputWidget)
    slug = forms.SlugField(
        max_length=100,
        widget=UnfoldAdminTextInputWidget,
        help_text="Journeys name the template by it; it never changes",
    )
    subject = forms.CharField(max_length=900, widget=UnfoldAdminTextInputWidget)
    preheader = forms.CharField(
        max_length=500,
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="Shown beside the subject in a list",
    )
    html = forms.CharField(widget=forms.Textarea, strip=False, label="HTML")
    text = forms.CharField(
        required=False,
        strip=False,
        widget=UnfoldAdminTextareaWidget,
        label="Plain text",
        help_text="Left empty, it is made of the HTML",
    )

    def words(self) -> dict[str, str]:
        return {part: self.cleaned_data[part].replace("\r\n", "\n") for part in templates.PARTS}


@admin.register(Template)
class TemplateAdmin(CarillonAdmin):
    list_display = ("title", "channel", "version", "changed")
    list_display_links = ("title",)
    title_of_list = "Email templates"
    list_select_related = ("live_version",)
    ordering = ("name",)
    search_fields = ("name__istartswith", "slug__startswith")
    search_help_text = "How the name or slug begins"
    actions = None
    empty = Empty("mail", "No templates yet", "A template holds the words of one email. Journeys send it by its slug.")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description="Template")
    def title(self, template: Template) -> SafeString:
        return stacked(template.name, template.slug)

    @admin.display(description="Live version")
    def version(self, template: Template) -> SafeString:
        return pill(str(template.live_version), "good") if template.live_version else pill("None", "plain")

    @admin.display(description="Last saved")
    def changed(self, template: Template) -> SafeString:
        return moment(template.live_version.created_at if template.live_version else template.created_at)

    # -- one template ---------------------------------------------------------------------------------------------

    def get_urls(self) -> list[Any]:
        preview = self.admin_site.admin_view(self.preview_view)
        return [path("preview/", preview, name="delivery_template_preview"), *super().get_urls()]

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        return self._page(request, None)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        template = (
            Template.objects.select_related("live_version").filter(pk=object_id).first()
            if object_id.isdecimal()
            else None
        )
        if not self.has_view_permission(request, template):
            raise PermissionDenied
        if template is None:
            raise Http404("There is no such template")
        return self._page(request, template)

    def _page(self, request: HttpRequest, template: Template | None) -> HttpResponse:
        versions = list(template.versions.order_by("-number")[:200]) if template else []
        shown = _version(versions, request.GET.get("version", ""), template)
        words = Words(shown.subject, shown.preheader, shown.html, shown.text) if shown else STARTER
        first = {"name": template.name, "slug": template.slug} if template else {}
        form = WordsForm(request.POST or None, initial={**first, **vars(words)})
        if template is not None:
            form.fields["slug"].required = False
        may_save = self.has_change_permission(request, template) if template else self.has_add_permission(request)
        if request.method == "POST":
            if not may_save:
                raise PermissionDenied
            saved = self._save(form, template) if form.is_valid() else None
            if saved is not None:
                messages.success(request, f"Saved. Journeys send {saved} from now on.")
                return HttpResponseRedirect(reverse("admin:delivery_template_change", args=[saved.template_id]))
            words = Words(**{part: form.data.get(part, "") for part in templates.PARTS})
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": template.name if template else "New template",
            "crumbs": self.crumbs(template.name if template else "New template"),
            "template": template,
            "form": form,
            "versions": versions,
            "shown": shown,
            "is_old": bool(shown and template and shown.pk != template.live_version_id),
            "may_save": may_save,
            "preview": preview(words, _sample("")),
        }
        return TemplateResponse(request, "admin/delivery/template.html", context)

    def _save(self, form: WordsForm, template: Template | None) -> TemplateVersion | None:
        slug = template.slug if template else form.cleaned_data["slug"]
        if template is None and Template.objects.filter(slug=slug).exists():
            form.add_error("slug", "There is a template with this slug already.")
            return None
        try:
            with transaction.atomic():
                version_id = templates.save_version(
                    slug=slug, name=form.cleaned_data["name"], **form.words(), now=clock.now()
                )
        except templates.BadTemplate as error:
            for fault in error.faults:
                part = str(fault.loc[0]) if fault.loc else None
                form.add_error(part if part in form.fields else None, fault.msg)
            return None
        return TemplateVersion.objects.select_related("template").get(pk=version_id)

    def preview_view(self, request: HttpRequest) -> HttpResponse:
        """The words as they stand in the form, filled for one contact: {subject, html, text, problem, as}."""
        if request.method != "POST" or not self.has_view_permission(request):
            raise PermissionDenied
        words = Words(**{part: request.POST.get(part, "") for part in templates.PARTS})
        person = request.POST.get("as", "").strip()
        may_see = request.user.has_perm("contacts.view_contact")
        sample = _sample(person if may_see else "")
        return JsonResponse({**preview(words, sample), "as": sample["label"]})


def _version(versions: list[TemplateVersion], asked: str, template: Template | None) -> TemplateVersion | None:
    """The version that was asked for by its number, else the live one."""
    if asked:
        found = next((version for version in versions if str(version.number) == asked), None)
        if found is None:
            raise Http404("There is no such version")
        return found
    return template.live_version if template else None


def _sample(identifier: str) -> Mapping[str, Any]:
    """Whom the preview is for: the contact with this identifier, or an example person."""
    contact = Contact.objects.filter(pk__in=contact_ids_of(identifier)).first() if identifier else None
    if contact is None:
        label = "an example person" if not identifier else "an example person: there is no such contact"
        return {"fields": SAMPLE_FIELDS, "attributes": SAMPLE_ATTRIBUTES, "label": label}
    fields = {
        name: getattr(contact, name)
        for name in ("email", "external_id", "phone", "timezone", "locale", "region", "owner_email")
    }
    known = contact.attributes if isinstance(contact.attributes, dict) else {}
    return {"fields": fields, "attributes": known, "label": str(contact)}


def preview(words: Words, sample: Mapping[str, Any]) -> dict[str, str]:
    """What the contact would get, or the problem that keeps it from being written. No event has happened, so what a
    template says of it stands in brackets."""
    named = {name for part in vars(words).values() for name in _TRIGGER.findall(part)}
    data = rendering.merge_data(
        fields=sample["fields"],
        attributes=sample["attributes"],
        context={"trigger": {name: f"[{name.replace('_', ' ')}]" for name in named}},
        unsubscribe_url=f"{settings.PUBLIC_URL}/u/example",
    )
    try:
        rendered = rendering.render(words, data, is_marketing=True)
        problem = ""
    except UnableToRender as error:
        rendered, problem = Rendered("", "", ""), str(error)
    return {"subject": rendered.subject, "html": rendered.html, "text": rendered.text, "problem": problem}
