"""The pages of scores and their versions: what holds, its history, what differs, and the editor of drafts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.text import slugify

from contacts import transactions
from contacts.conditions import catalogue
from contacts.conditions.sql import ENGAGEMENT
from contacts.pages.changelists import Empty, ReadOnlyAdmin
from contacts.spelling import arranged_deeply
from scoring.models import Ruleset
from scoring.pages.rulesets import editing, showing
from scoring.rulesets import diff, reading, starters, versions, wording
from scoring.rulesets.rules import LEAD, BadRules

HISTORY_SHOWN = 30


@admin.register(Ruleset)
class RulesetAdmin(ReadOnlyAdmin):
    title_of_list = "Scoring"
    ordering = ("-id",)
    empty = Empty(
        "speed",
        "No scores yet",
        "Rules turn what contacts do and who they are into points. Scores follow new rules at once, for everybody.",
    )

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("scoring.add_ruleset")

    def may_write(self, request: HttpRequest) -> bool:
        return request.user.has_perm("scoring.change_ruleset") or self.has_add_permission(request)

    def get_urls(self) -> list[Any]:
        def own(route: str, view: Callable[..., HttpResponse], name: str) -> Any:
            return path(route, self.admin_site.admin_view(view), name=f"scoring_ruleset_{name}")

        return [
            own("compare/", self.compare_view, "compare"),
            own("contacts/", self.contacts_view, "contacts"),
            own("<int:pk>/draft/", self.draft_view, "draft"),
            own("<int:pk>/check/", self.check_view, "check"),
            own("<int:pk>/explain/", self.explain_view, "explain"),
            own("<int:pk>/save/", self.save_view, "save"),
            own("<int:pk>/consequences/", self.consequences_view, "consequences"),
            own("<int:pk>/activate/", self.activate_view, "activate"),
            own("<int:pk>/discard/", self.discard_view, "discard"),
            *super().get_urls(),
        ]

    # -- pages to read --------------------------------------------------------------------------------------------

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Every score, with what holds, what is being written, and what held before."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = {
            **self._common(request, self.title_of_list),
            "crumbs": [(self.title_of_list, "")],
            "scores": showing.scores(),
            "empty": self.empty,
        }
        return TemplateResponse(request, "admin/scoring/rulesets.html", context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """A version in sentences; a draft in its editor, for those who may write."""
        ruleset = self._ruleset(request, object_id)
        if ruleset.state == "draft" and self.may_write(request):
            return self._editor(request, ruleset)
        written = versions.as_written(ruleset)
        older = showing.siblings(ruleset)
        before = next((each for each in older if each.version < ruleset.version and each.activated_at), None)
        context = {
            **self._common(request, str(ruleset)),
            "row": ruleset,
            "rules": showing.rules(written),
            "settings": wording.settings(written),
            "siblings": older[:HISTORY_SHOWN],
            "before": before,
            "drafts": [each for each in older if each.state == "draft"],
        }
        return TemplateResponse(request, "admin/scoring/ruleset.html", context)

    def compare_view(self, request: HttpRequest) -> HttpResponse:
        """What one version says differently from another: `?from=` and `?to=`, ids of versions of one score."""
        after = self._ruleset(request, request.GET.get("to", ""))
        before = self._ruleset(request, request.GET.get("from", ""))
        if before.name != after.name:
            raise Http404("These are versions of two scores")
        found = diff.compare(versions.as_written(before), versions.as_written(after))
        context = {
            **self._common(request, f"{after.name}: v{before.version} and v{after.version}"),
            "before": before,
            "after": after,
            "siblings": showing.siblings(after),
            "changes": showing.shown_changes(found),
        }
        return TemplateResponse(request, "admin/scoring/ruleset_compare.html", context)

    # -- drafts ---------------------------------------------------------------------------------------------------

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Which score, and what to begin with; then its draft."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        chosen = starters.BY_KEY.get(request.POST.get("begin", ""))
        problem, name = "", request.POST.get("name", "").strip()
        if request.method == "POST" and chosen is not None:
            written = chosen.begin(slugify(name) or chosen.name)
            try:
                pk = transactions.run(lambda now: versions.write_draft(written, now=now, by=str(request.user)))
            except BadRules as error:
                problem = str(error)
            else:
                return HttpResponseRedirect(reverse("admin:scoring_ruleset_change", args=[pk]))
        context = {
            **self._common(request, "New score"),
            "starters": starters.STARTERS,
            "chosen": chosen or starters.STARTERS[0],
            "name": name or ("" if Ruleset.objects.filter(name=LEAD).exists() else LEAD),
            "problem": problem,
        }
        return TemplateResponse(request, "admin/scoring/ruleset_new.html", context)

    def _editor(self, request: HttpRequest, draft: Ruleset) -> HttpResponse:
        others = [each.name for each in reading.active_rulesets() if each.name != draft.name]
        active = Ruleset.objects.filter(name=draft.name, state="active").first()
        sees_contacts = request.user.has_perm("contacts.view_contact")
        data = {
            "id": draft.pk,
            "name": draft.name,
            "version": draft.version,
            "edits": draft.edits,
            "draft": _as_read(versions.as_written(draft)),
            "scores": others,
            "sees_contacts": sees_contacts,
            "engagement": sorted(ENGAGEMENT),
            "urls": {
                "contacts": reverse("admin:scoring_ruleset_contacts"),
                **{
                    deed: reverse(f"admin:scoring_ruleset_{deed}", args=[draft.pk])
                    for deed in ("check", "explain", "save", "consequences", "activate")
                },
            },
        }
        context = {
            **self._common(request, f"Draft of {draft.name}, v{draft.version}"),
            "row": draft,
            "active": active,
            "data": data,
            "catalogue": catalogue.describe(),
            "sees_contacts": sees_contacts,
            "is_fullwidth": "1",
        }
        return TemplateResponse(request, "admin/scoring/ruleset_editor.html", context)

    def draft_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """POST: a draft that says what this version says."""
        version = self._writable(request, pk)
        made = transactions.run(lambda now: versions.draft_from(version.pk, now=now, by=str(request.user)))
        return HttpResponseRedirect(reverse("admin:scoring_ruleset_change", args=[made]))

    def discard_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """POST: the draft is gone."""
        draft = self._writable(request, pk)
        try:
            transactions.run(lambda now: versions.discard_draft(draft.pk))
        except versions.NoDraft:
            messages.error(request, "Not discarded: this is not a draft any more.")
        else:
            messages.success(request, f"The draft v{draft.version} of {draft.name} is discarded.")
        return HttpResponseRedirect(reverse("admin:scoring_ruleset_changelist"))

    # -- what the editor asks -------------------------------------------------------------------------------------

    def check_view(self, request: HttpRequest, pk: int) -> JsonResponse:
        draft = self._writable(request, pk)
        return editing.check(request, draft, may_see_contacts=request.user.has_perm("contacts.view_contact"))

    def explain_view(self, request: HttpRequest, pk: int) -> JsonResponse:
        draft = self._writable(request, pk)
        if not request.user.has_perm("contacts.view_contact"):
            raise PermissionDenied
        return editing.explain(request, draft)

    def contacts_view(self, request: HttpRequest) -> JsonResponse:
        if not self.may_write(request) or not request.user.has_perm("contacts.view_contact"):
            raise PermissionDenied
        return editing.people(request)

    def save_view(self, request: HttpRequest, pk: int) -> JsonResponse:
        return editing.save(request, self._writable(request, pk))

    def consequences_view(self, request: HttpRequest, pk: int) -> JsonResponse:
        return editing.consequences(request, self._writable(request, pk))

    def activate_view(self, request: HttpRequest, pk: int) -> JsonResponse:
        return editing.activate(request, self._writable(request, pk))

    # -- what they share ------------------------------------------------------------------------------------------

    def _common(self, request: HttpRequest, title: str) -> dict[str, Any]:
        return {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": title,
            "crumbs": self.crumbs(title),
            "may_add": self.has_add_permission(request),
            "may_write": self.may_write(request),
        }

    def _ruleset(self, request: HttpRequest, pk: str) -> Ruleset:
        if not self.has_view_permission(request):
            raise PermissionDenied
        known = pk.isascii() and pk.isdigit() and len(pk) <= 18
        found = Ruleset.objects.filter(pk=pk).first() if known else None
        if found is None:
            raise Http404("There is no such version of a score")
        return found

    def _writable(self, request: HttpRequest, pk: int) -> Ruleset:
        """Of a deed, which is always a POST."""
        if request.method != "POST" or not self.may_write(request):
            raise PermissionDenied
        return self._ruleset(request, str(pk))


def _as_read(written: dict[str, Any]) -> dict[str, Any]:
    """The keys of conditions in the order in which one reads them."""
    return {**written, "rules": [{**rule, "signal": arranged_deeply(rule["signal"])} for rule in written["rules"]]}
