"""What moves people along: the rules in their order, and each of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse

from contacts import transactions
from contacts.pages.changelists import ReadOnlyAdmin
from scoring.lifecycle import catching_up, progression_rules, stages, wording
from scoring.lifecycle.causes import Progression
from scoring.models import ProgressionRule
from scoring.pages.moving import actor_of
from scoring.pages.progression_form import ProgressionForm
from scoring.rulesets.rules import BadRules

CHANGE = "scoring.change_progressionrule"
OFFERED = 200
DEEDS = ("switch", "up", "remove", "apply")


@admin.register(ProgressionRule)
class ProgressionRuleAdmin(ReadOnlyAdmin):
    title_of_list = "What moves people"

    def has_module_permission(self, request: HttpRequest) -> bool:
        return False

    def get_urls(self) -> list[Any]:
        wrap = self.admin_site.admin_view
        return [
            path("new/<slug:kind>/", wrap(self.new_view), name="scoring_progressionrule_new"),
            path("rule/<slug:key>/", wrap(self.rule_view), name="scoring_progressionrule_rule"),
            path("rule/<slug:key>/<slug:deed>/", wrap(self.deed_view), name="scoring_progressionrule_deed"),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        self._allow(request)
        names, runs = stages.labels(), catching_up.runs()
        context = {
            **self._common(request, ("What moves people", "")),
            "rules": [
                {
                    "rule": rule,
                    "cause": wording.cause(rule),
                    "from": [names.get(stage, "No stage") for stage in rule.from_stages],
                    "to": names[rule.to_stage],
                    "url": reverse("admin:scoring_progressionrule_rule", args=[rule.key]),
                    "run": runs.get(rule.key),
                }
                for rule in progression_rules.every()
            ],
        }
        return TemplateResponse(request, "admin/scoring/progression.html", context)

    def new_view(self, request: HttpRequest, kind: str) -> HttpResponse:
        if not request.user.has_perm(CHANGE):
            raise PermissionDenied
        if kind not in ("score", "event"):
            raise Http404("There is no such kind of rule")
        form = ProgressionForm(request.POST or None, kind=kind)
        if request.method == "POST" and form.is_valid() and (rule := self._save(request, form)):
            messages.success(request, f"“{rule.name}” is in force from now on.")
            return HttpResponseRedirect(reverse("admin:scoring_progressionrule_rule", args=[rule.key]))
        return self._page(request, form, None)

    def rule_view(self, request: HttpRequest, key: str) -> HttpResponse:
        self._allow(request)
        rule = self._rule(key)
        if request.method == "POST" and not request.user.has_perm(CHANGE):
            raise PermissionDenied
        form = ProgressionForm(request.POST or None, kind="score" if "score" in rule.written else "event", rule=rule)
        if request.method == "POST" and form.is_valid() and self._save(request, form, key):
            messages.success(request, "Saved.")
            return HttpResponseRedirect(reverse("admin:scoring_progressionrule_rule", args=[key]))
        return self._page(request, form, rule)

    def deed_view(self, request: HttpRequest, key: str, deed: str) -> HttpResponse:
        """POST: switch the rule on or off, let it stand higher, remove it, or apply it to those from before."""
        if request.method != "POST" or deed not in DEEDS or not request.user.has_perm(CHANGE):
            raise PermissionDenied
        rule, by = self._rule(key), actor_of(request)
        back = reverse("admin:scoring_progressionrule_rule", args=[key])
        rules = reverse("admin:scoring_progressionrule_changelist")
        if deed == "switch":
            on = not rule.is_active
            transactions.run(lambda now: progression_rules.switch(key, on=on, by=by, now=now))
            messages.success(request, f"“{rule.name}” is {'on' if on else 'off'} now.")
        elif deed == "up":
            transactions.run(lambda now: progression_rules.raise_above(key, by=by))
            back = rules
        elif deed == "remove":
            transactions.run(lambda now: progression_rules.remove(key, now=now))
            is_built_in = key in progression_rules.BUILT_IN
            messages.success(request, f"“{rule.name}” is {'as it came' if is_built_in else 'removed'}.")
            back = back if is_built_in else rules
        else:
            transactions.run(lambda now: catching_up.ask(key, by=by, now=now))
            messages.success(request, "They are being moved, some hundred at a time.")
        return HttpResponseRedirect(back)

    def _page(self, request: HttpRequest, form: ProgressionForm, rule: Progression | None) -> HttpResponse:
        waiting = None
        if rule is not None and rule.is_active:
            standing = rule
            waiting = transactions.run(lambda now: catching_up.count(standing, now=now))
        context = {
            **self._common(
                request,
                ("What moves people", reverse("admin:scoring_progressionrule_changelist")),
                (rule.name if rule else "New rule", ""),
            ),
            "form": form,
            "rule": rule,
            "event_types": _event_types() if form.kind == "event" else [],
            "cause": wording.cause(rule) if rule else "",
            "to": stages.label(rule.to_stage) if rule else "",
            "by": rule.changed_by.partition(":")[2] if rule else "",
            "waiting": waiting,
            "run": catching_up.runs().get(rule.key) if rule else None,
            "is_built_in": rule is not None and rule.key in progression_rules.BUILT_IN,
        }
        return TemplateResponse(request, "admin/scoring/progression_rule.html", context)

    def _common(self, request: HttpRequest, *way: tuple[str, str]) -> dict[str, Any]:
        return {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": way[-1][0],
            "crumbs": [("Lifecycle", reverse("admin:scoring_lifecycleevent_changelist")), *way],
            "tab": "rules",
            "may_change": request.user.has_perm(CHANGE),
        }

    def _allow(self, request: HttpRequest) -> None:
        if not (request.user.has_perm("scoring.view_lifecycleevent") or self.has_view_permission(request)):
            raise PermissionDenied

    def _rule(self, key: str) -> Progression:
        rule = progression_rules.find(key)
        if rule is None:
            raise Http404("There is no such rule")
        return rule

    def _save(self, request: HttpRequest, form: ProgressionForm, key: str = "") -> Progression | None:
        def work(now: datetime) -> Progression:
            return progression_rules.save(form.raw(), by=actor_of(request), now=now, key=key)

        try:
            return transactions.run(work)
        except BadRules as error:
            form.refuse(error)
            return None


def _event_types() -> list[str]:
    """What was recorded lately, to choose from; any other may be written."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT event_type FROM seen_events WHERE property = '' ORDER BY last_seen_at DESC, event_type LIMIT %s",
            [OFFERED],
        )
        return [event_type for (event_type,) in cursor.fetchall()]
