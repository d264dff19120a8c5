"""Scoring rules: the active ones as sentences, and a new version of them written as JSON."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from contacts import clock
from contacts.conditions import BadCondition
from contacts.pages.cells import moment, state_pill
from contacts.pages.changelists import Empty, RecordAdmin
from contacts.spelling import arranged_deeply, neat
from scoring.models import Ruleset, ScoringRule
from scoring.rulesets import rules, versions, wording

LARGEST = 500_000  # characters
STARTER = [
    {
        "name": "Opened an email",
        "signal": {"event": "email_opened"},
        "points": 5,
        "decay": {"type": "half_life", "period": "P30D"},
        "cap": 20,
    },
    {
        "name": "Decides about budgets",
        "signal": {"field": "job_title", "op": "contains", "value": "Director"},
        "points": 20,
    },
]


@admin.register(Ruleset)
class RulesetAdmin(RecordAdmin):
    list_display = ("title", "state_shown", "threshold", "rule_count", "activated")
    list_display_links = ("title",)
    ordering = ("-id",)
    record_template = "admin/scoring/ruleset.html"
    title_of_list = "Scoring rules"
    empty = Empty(
        "speed",
        "No scoring rules yet",
        "Rules turn what contacts do and who they are into points. Scores follow new rules at once.",
    )

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("scoring.add_ruleset")

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).annotate(counted=Count("rules"))

    @admin.display(description="Ruleset")
    def title(self, ruleset: Ruleset) -> str:
        return str(ruleset)

    @admin.display(description="State")
    def state_shown(self, ruleset: Ruleset) -> SafeString:
        return state_pill(ruleset.state)

    @admin.display(description="MQL from")
    def threshold(self, ruleset: Ruleset) -> str:
        return f"{ruleset.mql_threshold:g} points"

    @admin.display(description="Rules")
    def rule_count(self, ruleset: Any) -> int:
        return ruleset.counted

    @admin.display(description="Active since")
    def activated(self, ruleset: Ruleset) -> SafeString:
        return moment(ruleset.activated_at)

    def record(self, request: HttpRequest, row: Ruleset, *, now: datetime) -> dict[str, Any]:
        shown: list[Any] = list(ScoringRule.objects.filter(ruleset=row).order_by("id"))
        for rule in shown:
            rule.sentence = told(rule.signal)
            rule.fading = wording.fading(rule.decay)
            rule.points_shown = f"{rule.points:+g}".replace("-", "−")
        return {
            "name": str(row),
            "facts": [
                ("State", state_pill(row.state)),
                ("MQL from", self.threshold(row)),
                ("Active since", moment(row.activated_at, seconds=True)),
            ],
            "rules": shown,
            "may_add": self.has_add_permission(request),
        }

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """A new version, which becomes active at once."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        active = Ruleset.objects.filter(name=rules.LEAD, state="active").first()
        text, threshold = _written(active), f"{active.mql_threshold:g}" if active else "60"
        problems: list[dict[str, str]] = []
        if request.method == "POST":
            text, threshold = request.POST.get("rules", "").replace("\r\n", "\n"), request.POST.get("threshold", "")
            problems = _activate(text, threshold)
            if not problems:
                messages.success(request, "The rules are active: every score follows them from now on.")
                return HttpResponseRedirect(reverse("admin:scoring_ruleset_changelist"))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "New scoring rules",
            "crumbs": self.crumbs("New version"),
            "text": text,
            "threshold": threshold,
            "problems": problems,
            "active": active,
        }
        return TemplateResponse(request, "admin/scoring/ruleset_new.html", context)


def _written(active: Ruleset | None) -> str:
    """The active rules as they are written, or an example where there are none."""
    rows: list[dict[str, Any]] = STARTER
    if active is not None:
        rows = [
            {
                "name": rule.name,
                "signal": arranged_deeply(rule.signal),
                "points": rule.points,
                **({"decay": arranged_deeply(rule.decay)} if rule.decay else {}),
                **({"cap": _whole(rule.cap)} if rule.cap is not None else {}),
            }
            for rule in ScoringRule.objects.filter(ruleset=active).order_by("id")
        ]
    return neat([{**row, "points": _whole(row["points"])} for row in rows])


def _whole(number: float) -> float | int:
    return int(number) if float(number).is_integer() else number


def _activate(text: str, threshold: str) -> list[dict[str, str]]:
    """Make the rules active; what is wrong with them when they cannot be."""
    try:
        if len(text) > LARGEST:
            raise ValueError("too long")
        written = json.loads(text)
    except (ValueError, RecursionError):
        return [{"path": "", "message": "The rules are not JSON that can be read."}]
    try:
        number = float(threshold)
    except ValueError:
        return [{"path": "mql_threshold", "message": "The threshold is a number, for example 60."}]
    try:
        with transaction.atomic():
            versions.activate(rules=written, mql_threshold=number, now=clock.now())
    except rules.BadRules as error:
        return [{"path": problem.path, "message": problem.message} for problem in error.problems]
    return []


def told(signal: Any) -> SafeString:
    """What earns the points, in English; the JSON itself where it cannot be said."""
    try:
        return format_html("{}", wording.sentence(signal))
    except BadCondition:
        return format_html('<code class="cl-code">{}</code>', json.dumps(signal, ensure_ascii=False))
