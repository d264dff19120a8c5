"""Templates: what a message says. The list, the gallery of layouts to begin with, and the editor."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.safestring import SafeString

from contacts import authority
from contacts.conditions import catalogue
from contacts.pages import deletions
from contacts.pages.cells import moment, pill, stacked
from contacts.pages.changelists import CarillonAdmin, Empty
from delivery.authoring import previews, removal
from delivery.authoring.blocks import starters as blocks_starters
from delivery.models import SeedAddress, Template, TemplateVersion
from delivery.pages.editor import deeds as editor_deeds
from delivery.pages.editor import draft as editor_draft
from delivery.pages.editor import lacking as editor_lacking
from delivery.pages.editor import mail as editor_mail
from delivery.pages.editor import sending as editor_sending

CHANNELS = {"email": "Email", "sms": "Text message", "push": "Push"}
KINDS = {"message": "Message", "layout": "Layout", "partial": "Partial"}
SEES_PEOPLE = ("contacts.view_contact", authority.SEE_PERSONAL_DATA)  # a mail that is filled for somebody names them
COMMON = ("first_name", "company", "last_name", "job_title", "plan", "country", "city")
FIELDS = ("contact.email", "contact.phone", "contact.external_id", "contact.owner_email", "contact.locale")
MOST_TAGS = 300


@admin.register(Template)
class TemplateAdmin(CarillonAdmin):
    list_display = ("title", "sort", "version", "changed")
    list_display_links = ("title",)
    list_filter = ("channel", "kind")
    title_of_list = "Email templates"
    list_select_related = ("live_version",)
    ordering = ("name",)
    search_fields = ("name__istartswith", "slug__startswith")
    search_help_text = "How the name or slug begins"
    actions = None
    empty = Empty(
        "mail",
        "No templates yet",
        "A template is what a message says: its subject and its words, with places for what is known of a contact. "
        "Journeys send it by its slug. Every saving makes a version; what is on its way keeps the one it came with.",
        sample="gallery",
    )

    def get_deleted_objects(
        self, objs: Iterable[Any], request: HttpRequest
    ) -> tuple[list[str], dict[str, str], set[str], list[str]]:
        """Its versions go along; what keeps it is told by the room."""
        (template,) = objs
        kept = removal.reasons(template.slug)
        versions = deletions.Hanging(
            TemplateVersion, template.versions.all()[: deletions.COUNTED + 1].count(), bars=False
        )
        return [str(template)], {"versions": versions.counted}, set(), kept

    def delete_model(self, request: HttpRequest, obj: Template) -> None:
        try:
            with transaction.atomic():
                removal.delete(obj.slug)
        except removal.InUse as error:  # since the page asked
            raise PermissionDenied from error

    @admin.display(description="Template")
    def title(self, template: Template) -> SafeString:
        return stacked(template.name, template.slug)

    @admin.display(description="What")
    def sort(self, template: Template) -> str:
        kind = "" if template.kind == "message" else f", {KINDS[template.kind].lower()}"
        return CHANNELS.get(template.channel, template.channel) + kind

    @admin.display(description="Live version")
    def version(self, template: Template) -> SafeString:
        return pill(str(template.live_version), "good") if template.live_version else pill("None", "plain")

    @admin.display(description="Last saved")
    def changed(self, template: Template) -> SafeString:
        return moment(template.live_version.created_at if template.live_version else template.created_at)

    # -- pages ----------------------------------------------------------------------------------------------------

    def get_urls(self) -> list[Any]:
        def own(route: str, view: Callable[..., HttpResponse], name: str) -> Any:
            return path(route, self.admin_site.admin_view(view), name=f"delivery_template_{name}")

        return [
            own("preview/", self.preview_view, "preview"),
            own("contacts/", self.contacts_view, "contacts"),
            own("links/", self.links_view, "links"),
            own("lacking/", self.lacking_view, "lacking"),
            own("test/", self.test_view, "test"),
            own("<int:pk>/seeds/", self.seeds_view, "seeds"),
            own("save/", self.save_view, "save_new"),
            own("<int:pk>/save/", self.save_view, "save"),
            own("<int:pk>/restore/", self.restore_view, "restore"),
            own("<int:pk>/versions/", self.versions_view, "versions"),
            own("<int:pk>/versions/<int:number>/", self.version_view, "version"),
            *super().get_urls(),
        ]

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The gallery; with `?begin=` the editor, with that layout in it."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        begin = request.GET.get("begin", "")
        if not begin:
            return TemplateResponse(
                request,
                "admin/delivery/template_gallery.html",
                {**self._common(request, "New template"), "starters": _gallery(), "plain": PLAIN},
            )
        way = PLAIN_BY_KEY.get(begin)
        chosen = blocks_starters.starter(begin)
        if way is None and chosen is None:
            raise Http404("There is no such layout")
        draft = editor_draft.of_starter(
            chosen,
            channel=way["channel"] if way else "email",
            kind=way["kind"] if way else "message",
            code=way["code"] if way else "",
        )
        return self._editor(request, None, draft, begin)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        template = self._template(request, int(object_id) if object_id.isascii() and object_id.isdigit() else 0)
        return self._editor(request, template, editor_draft.of_version(template, template.live_version), "")

    def _editor(
        self, request: HttpRequest, template: Template | None, draft: dict[str, Any], begin: str
    ) -> HttpResponse:
        may_save = self.has_change_permission(request, template) if template else self.has_add_permission(request)
        title = template.name if template else "New template"
        may_see = request.user.has_perms(SEES_PEOPLE)
        data = {
            "draft": draft,
            "key": str(template.pk) if template else f"new-{begin}",
            "is_new": template is None,
            "may_save": may_save,
            "versions": editor_deeds.listed(template) if template else [],
            "tags": _tags(),
            "layouts": _layouts(),
            "urls": _urls(template, request.user.has_perm("contacts.view_contact")),
        }
        context = {
            **self._common(request, title),
            "template": template,
            "data": data,
            "may_save": may_save,
            "may_delete": template is not None and self.has_delete_permission(request, template),
            "may_see_contacts": may_see,
            "may_send_tests": may_save and draft["channel"] == "email" and draft["kind"] == "message",
            "may_send_seeds": may_save
            and template is not None
            and draft["channel"] == "email"
            and draft["kind"] == "message",
            "seeds": SeedAddress.objects.count(),
            "is_email": draft["channel"] == "email",
            "sender": settings.EMAIL_FROM_NAME or settings.EMAIL_FROM,
        }
        return TemplateResponse(request, "admin/delivery/template.html", context)

    def _common(self, request: HttpRequest, title: str) -> dict[str, Any]:
        return {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": title,
            "crumbs": self.crumbs(title),
            "is_fullwidth": "1",
        }

    def _template(self, request: HttpRequest, pk: int) -> Template:
        if not self.has_view_permission(request):
            raise PermissionDenied
        found = Template.objects.select_related("live_version").filter(pk=min(pk, 2**62)).first()
        if found is None:
            raise Http404("There is no such template")
        return found

    # -- what the editor asks -------------------------------------------------------------------------------------

    def preview_view(self, request: HttpRequest) -> JsonResponse:
        if request.method != "POST" or not self.has_view_permission(request):
            raise PermissionDenied
        return editor_deeds.preview(request, may_see_contacts=request.user.has_perms(SEES_PEOPLE))

    def contacts_view(self, request: HttpRequest) -> JsonResponse:
        if not self.has_view_permission(request) or not request.user.has_perms(SEES_PEOPLE):
            raise PermissionDenied
        return editor_deeds.contacts(request)

    def lacking_view(self, request: HttpRequest) -> JsonResponse:
        """How many contacts have a value is something about contacts."""
        may_see = request.user.has_perm("contacts.view_contact")
        if request.method != "POST" or not self.has_view_permission(request) or not may_see:
            raise PermissionDenied
        return editor_lacking.lacking(request)

    def save_view(self, request: HttpRequest, pk: int | None = None) -> JsonResponse:
        template = None if pk is None else self._template(request, pk)
        may = self.has_add_permission(request) if template is None else self.has_change_permission(request, template)
        if request.method != "POST" or not may:
            raise PermissionDenied
        return editor_deeds.save(request, template)

    def restore_view(self, request: HttpRequest, pk: int) -> JsonResponse:
        template = self._template(request, pk)
        if request.method != "POST" or not self.has_change_permission(request, template):
            raise PermissionDenied
        return editor_deeds.restore(request, template)

    def test_view(self, request: HttpRequest) -> JsonResponse:
        if request.method != "POST" or not self._may_try(request):
            raise PermissionDenied
        return editor_sending.test(request, may_see_contacts=request.user.has_perms(SEES_PEOPLE))

    def seeds_view(self, request: HttpRequest, pk: int) -> JsonResponse:
        template = self._template(request, pk)
        if request.method != "POST" or not self._may_try(request):
            raise PermissionDenied
        return editor_sending.seed(request, template)

    def links_view(self, request: HttpRequest) -> JsonResponse:
        if request.method != "POST" or not self._may_try(request):
            raise PermissionDenied
        return editor_sending.links(request)

    def _may_try(self, request: HttpRequest) -> bool:
        return self.has_change_permission(request) or self.has_add_permission(request)

    def versions_view(self, request: HttpRequest, pk: int) -> JsonResponse:
        return JsonResponse({"versions": editor_deeds.listed(self._template(request, pk))})

    def version_view(self, request: HttpRequest, pk: int, number: int) -> JsonResponse:
        return editor_deeds.version(request, self._template(request, pk), min(number, 2_000_000_000))


def _plain(key: str, name: str, hint: str, icon: str, **more: str) -> dict[str, str]:
    return {
        "key": key,
        "name": name,
        "hint": hint,
        "icon": icon,
        "channel": "email",
        "kind": "message",
        "code": "",
    } | more


# Ways to begin without a layout.
PLAIN = (
    _plain("blank", "Blank", "Blocks, and none there yet", "add_box"),
    _plain("mjml", "MJML", "Write it as code that fits every mail program", "code_blocks", code="mjml"),
    _plain("html", "HTML", "Bring a mail that exists already", "code", code="html"),
    _plain("sms", "Text message", "A few plain words to a telephone", "sms", channel="sms"),
    _plain("push", "Push message", "A title and a line on the screen", "notifications", channel="push"),
    _plain("layout", "Layout", "What stands around several messages", "web_asset", kind="layout", code="mjml"),
    _plain("layout-html", "Layout in HTML", "The same around messages in HTML", "web", kind="layout", code="html"),
    _plain("partial", "Partial", "A piece that several messages share", "extension", kind="partial", code="html"),
)
PLAIN_BY_KEY = {way["key"]: way for way in PLAIN}


def _gallery() -> list[dict[str, Any]]:
    """Each layout with the mail that it makes."""
    shown = []
    for starter in blocks_starters.STARTERS:
        draft = editor_draft.read(editor_draft.of_starter(starter, channel="email", kind="message", code=""))
        mail = editor_mail.shown(draft, editor_draft.DEFAULT, previews.EXAMPLE)
        shown.append({"starter": starter, "html": mail.get("html", "")})
    return shown


def _tags() -> list[dict[str, Any]]:
    """What a merge tag may name, what is used most first: attributes that contacts have, and fields of theirs."""
    seen = [
        each["field"] if isinstance(each["field"], str) else "contact." + ".".join(each["field"][1:])
        for each in catalogue.describe()["attributes"][:MOST_TAGS]
    ]
    known = [name for name in seen if all(char.isalnum() or char in "._-" for char in name)]
    first = [name for name in COMMON if name in known] or list(COMMON[:2])
    rest = [name for name in known if name not in first]
    return [{"name": name} for name in (*first, *rest, *FIELDS)]


def _layouts() -> list[dict[str, str]]:
    found = Template.objects.filter(kind="layout", live_version__isnull=False).select_related("live_version")
    return [
        {"slug": each.slug, "name": each.name, "markup": (each.live_version.source or {}).get("kind") or "html"}
        for each in found.order_by("name")[:200]
        if each.live_version is not None
    ]


def _urls(template: Template | None, may_see_contacts: bool) -> dict[str, str]:
    def to(name: str) -> str:
        return reverse(f"admin:delivery_template_{name}", args=[template.pk] if template else [])

    own = (
        {"seeds": to("seeds"), "save": to("save"), "restore": to("restore"), "versions": to("versions")}
        if template
        else {}
    )
    everywhere = {
        "preview": reverse("admin:delivery_template_preview"),
        "contacts": reverse("admin:delivery_template_contacts"),
        "test": reverse("admin:delivery_template_test"),
        "links": reverse("admin:delivery_template_links"),
        "list": reverse("admin:delivery_template_changelist"),
        "save": reverse("admin:delivery_template_save_new"),
    }
    if may_see_contacts:
        everywhere["lacking"] = reverse("admin:delivery_template_lacking")
    return everywhere | own
