"""Versions tried on history: asked for, watched while it is worked off, read, compared, and made active."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.safestring import SafeString

from contacts import catalogue, clock, transactions
from contacts.pages.cells import link, moment, pill, stacked
from contacts.pages.changelists import Empty, ReadOnlyAdmin
from contacts.pages.contacts import names_of
from scoring.backtests import asking, conversions, crossers
from scoring.backtests.rising import step_of
from scoring.backtests.running import trial_of
from scoring.models import Backtest
from scoring.pages import backtest_report
from scoring.pages.backtest_form import BacktestForm
from scoring.rulesets import versions
from scoring.rulesets.parsing import ON_ACTIVATION
from scoring.rulesets.rules import BadRules

STATES = {
    "queued": ("Waiting", "info"),
    "running": ("Running", "good"),
    "finished": ("Finished", "plain"),
    "failed": ("Stopped", "bad"),
    "cancelled": ("Cancelled", "plain"),
}
GROUPS = (
    ("crossed", "Would cross"),
    ("foretold", "Converted afterwards"),
    ("in_vain", "Did not convert"),
    ("missed", "Converted without"),
    ("only_tried", "Only this version"),
    ("only_active", "Only the active one"),
)
COMPARABLE = 20
A_DAY = timedelta(days=1)  # of windows that begin and end within one, the figures are comparable


@admin.register(Backtest)
class BacktestAdmin(ReadOnlyAdmin):
    title_of_list = "Back-tests"
    nouns = ("back-test", "back-tests")
    list_display = ("version", "standing", "window", "success", "precision", "recall", "asked")
    list_display_links = None
    list_select_related = ("ruleset",)
    ordering = ("-id",)
    empty = Empty(
        "history",
        "Nothing tried yet",
        "Try a version of a score on what is recorded: who would have crossed the threshold, how often rightly, and "
        "how early. Nothing changes for anybody.",
    )

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("scoring.change_ruleset") or request.user.has_perm("scoring.add_ruleset")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("scoring.view_ruleset") or self.has_add_permission(request)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    # -- the list -------------------------------------------------------------------------------------------------

    @admin.display(description="Version")
    def version(self, backtest: Backtest) -> SafeString:
        address = reverse("admin:scoring_backtest_change", args=[backtest.pk])
        return stacked(link(_label(backtest), address), f"from {backtest.threshold:g} points")

    @admin.display(description="State")
    def standing(self, backtest: Backtest) -> SafeString:
        return state_of(backtest)

    @admin.display(description="Days")
    def window(self, backtest: Backtest) -> SafeString:
        return stacked(f"{backtest.since:%-d %b %Y}", f"to {backtest.until:%-d %b %Y}")

    @admin.display(description="Success")
    def success(self, backtest: Backtest) -> str:
        return conversions.sentence(backtest.conversion)

    @admin.display(description="Precision")
    def precision(self, backtest: Backtest) -> str:
        return backtest_report.percent(backtest.result["tried"]["precision"]["share"]) if backtest.result else "–"

    @admin.display(description="Recall")
    def recall(self, backtest: Backtest) -> str:
        return backtest_report.percent(backtest.result["tried"]["recall"]["share"]) if backtest.result else "–"

    @admin.display(description="Asked for")
    def asked(self, backtest: Backtest) -> SafeString:
        return stacked(moment(backtest.created_at), backtest.created_by)

    # -- pages ----------------------------------------------------------------------------------------------------

    def get_urls(self) -> list[Any]:
        wrap = self.admin_site.admin_view
        return [
            path("compare/", wrap(self.compare_view), name="scoring_backtest_compare"),
            path("<int:pk>/progress/", wrap(self.progress_view), name="scoring_backtest_progress"),
            path("<int:pk>/deed/", wrap(self.deed_view), name="scoring_backtest_deed"),
            *super().get_urls(),
        ]

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        chosen = request.GET.get("ruleset", "")
        known = int(chosen) if chosen.isascii() and chosen.isdigit() and len(chosen) <= 18 else None
        form = BacktestForm(request.POST or None, now=clock.now(), chosen=known)
        if request.method == "POST" and form.is_valid():
            by = request.user.get_username()
            try:
                pk = transactions.run(lambda now: asking.ask(**form.asked(), now=now, by=by))
                return HttpResponseRedirect(reverse("admin:scoring_backtest_change", args=[pk]))
            except BadRules as error:
                form.refuse(error)
        response = self._page(
            request,
            "admin/scoring/backtest_new.html",
            "Try a version on history",
            form=form,
            event_types=[each.name for each in catalogue.event_types()],
        )
        response.status_code = 422 if form.errors else 200
        return response

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        backtest = self._backtest(request, object_id)
        result, report = backtest.result, {}
        if result:
            trial = trial_of(backtest)
            step = step_of(backtest.until - backtest.since, speed=settings.TIME_SPEED)
            days = step.total_seconds() / backtest_report.DAY
            report = {
                "tiles": backtest_report.tiles(result),
                "remarks": backtest_report.remarks(
                    result,
                    cut=backtest.contacts_cut,
                    rising=trial.rising,
                    step="once a day" if days == 1 else f"every {days:.2g} days",
                ),
                "sweep": backtest_report.sweep(result),
                "overlap": backtest_report.overlap(result),
                "leads": backtest_report.leads(result),
                "others": _comparable(backtest),
                **self._list(request, backtest),
            }
        return self._page(
            request,
            "admin/scoring/backtest.html",
            f"{_label(backtest)} on history",
            row=backtest,
            state=state_of(backtest),
            success=conversions.sentence(backtest.conversion),
            percent=_percent(backtest),
            is_open=backtest.state in asking.OPEN,
            may_try=self.has_add_permission(request),
            is_draft=backtest.ruleset.state == "draft",
            has_changed=backtest.ruleset.edits != backtest.judges["tried"]["edits"],
            **report,
        )

    def progress_view(self, request: HttpRequest, pk: int) -> JsonResponse:
        backtest = self._backtest(request, str(pk))
        return JsonResponse(
            {
                "state": backtest.state,
                "open": backtest.state in asking.OPEN,
                "done": backtest.contacts_done,
                "total": backtest.contacts_total,
                "looked_at": backtest.contacts_looked_at,
                "percent": _percent(backtest),
            }
        )

    def deed_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        backtest = self._backtest(request, str(pk))
        if request.method != "POST" or not self.has_add_permission(request):
            raise PermissionDenied
        deed, back = request.POST.get("deed", ""), reverse("admin:scoring_backtest_change", args=[pk])
        try:
            if deed == "activate":
                return self._activate(request, backtest)
            if deed == "cancel":
                transactions.run(lambda now: asking.cancel(backtest.pk, now=now))
                messages.success(request, "Cancelled.")
            elif deed == "go_on":
                transactions.run(lambda now: asking.go_on(backtest.pk))
                messages.success(request, "It goes on where it stopped.")
            else:
                raise Http404
        except asking.NotOpen:
            messages.warning(request, "That cannot be done now: look at its state.")
        except versions.NoDraft:
            messages.warning(request, "Not activated: this version is not a draft any more.")
        except versions.Stale:
            messages.warning(
                request, "Not activated: the draft was changed since it was tried. Try it again, or look at the draft."
            )
        return HttpResponseRedirect(back)

    def _activate(self, request: HttpRequest, backtest: Backtest) -> HttpResponse:
        """The draft as it was tried, and no other."""
        chosen = request.POST.get("on_activation")
        if chosen not in ON_ACTIVATION:
            raise Http404
        edits, by = backtest.judges["tried"]["edits"], str(request.user)

        def work(now: datetime) -> int:
            return versions.activate_draft(backtest.ruleset_id, now=now, on_activation=chosen, edits=edits, by=by)

        pk = transactions.run(work)
        messages.success(request, f"{_label(backtest)} is active: every score follows it from now on.")
        return HttpResponseRedirect(reverse("admin:scoring_ruleset_change", args=[pk]))

    def compare_view(self, request: HttpRequest) -> HttpResponse:
        """Two finished back-tests beside each other: `?one=` and `?other=`."""
        both = [self._backtest(request, request.GET.get(name, "")) for name in ("one", "other")]
        if not all(each.result for each in both):
            raise Http404("Only finished back-tests can be compared")
        one, other = both
        return self._page(
            request,
            "admin/scoring/backtest_compare.html",
            f"{_label(one)} and {_label(other)} on history",
            both=both,
            same_window=max(abs(one.since - other.since), abs(one.until - other.until)) < A_DAY,
            same_success=one.conversion == other.conversion,
            rows=_beside(one, other),
        )

    def _list(self, request: HttpRequest, backtest: Backtest) -> dict[str, Any]:
        """Who would cross; nothing for who may not see contacts."""
        if not request.user.has_perm("contacts.view_contact"):
            return {"sees_contacts": False}
        compared = bool(backtest.result and backtest.result["active"])
        groups = [(name, words) for name, words in GROUPS if compared or name not in ("only_tried", "only_active")]
        asked = request.GET.get("who", "")
        group = asked if asked in dict(groups) else "crossed"
        page = request.GET.get("page", "")
        number = int(page) if page.isascii() and page.isdigit() and len(page) <= 4 else 1
        people, more = crossers.page(backtest.pk, group=group, number=number)
        names = names_of({each.contact_id for each in people})
        return {
            "sees_contacts": True,
            "group": group,
            "groups": groups,
            "people": [(each, names.get(each.contact_id, f"Contact {each.contact_id}")) for each in people],
            "before": number - 1,
            "after": number + 1 if more else 0,
        }

    def _page(self, request: HttpRequest, template: str, title: str, **context: Any) -> TemplateResponse:
        base = {**self.admin_site.each_context(request), "opts": self.opts, "title": title}
        return TemplateResponse(request, template, {**base, "crumbs": self.crumbs(title), **context})

    def _backtest(self, request: HttpRequest, pk: str) -> Backtest:
        if not self.has_view_permission(request):
            raise PermissionDenied
        known = pk.isascii() and pk.isdigit() and len(pk) <= 18
        found = Backtest.objects.select_related("ruleset", "against").filter(pk=pk).first() if known else None
        if found is None:
            raise Http404("There is no such back-test")
        return found


def state_of(backtest: Backtest) -> SafeString:
    return pill(*STATES[backtest.state])


def _label(backtest: Backtest) -> str:
    return str(backtest.ruleset)


def _percent(backtest: Backtest) -> int:
    if backtest.state == "finished":
        return 100
    return int(100 * backtest.contacts_done / backtest.contacts_total) if backtest.contacts_total else 0


def _comparable(backtest: Backtest) -> list[tuple[int, str]]:
    others = Backtest.objects.filter(state="finished", ruleset__name=backtest.ruleset.name).exclude(pk=backtest.pk)
    return [
        (each.pk, f"{each.ruleset}, {each.since:%-d %b} to {each.until:%-d %b %Y}, from {each.threshold:g} points")
        for each in others.select_related("ruleset").order_by("-id")[:COMPARABLE]
    ]


def _beside(one: Backtest, other: Backtest) -> list[tuple[str, list[str]]]:
    def each(figure: Any) -> list[str]:
        return [figure(backtest.result) for backtest in (one, other)]

    percent, share = backtest_report.percent, backtest_report.share
    return [
        ("Days", [f"{backtest.since:%-d %b %Y} to {backtest.until:%-d %b %Y}" for backtest in (one, other)]),
        ("Success", [conversions.sentence(backtest.conversion) for backtest in (one, other)]),
        ("Threshold", [f"{backtest.threshold:g} points" for backtest in (one, other)]),
        ("Contacts looked at", each(lambda result: f"{result['contacts']:,}")),
        ("Converted", each(lambda result: f"{result['base_rate']['hits']:,}")),
        ("Would cross", each(lambda result: f"{result['tried']['crossed']:,}")),
        ("Converted afterwards", each(lambda result: f"{result['tried']['foretold']:,}")),
        ("Precision", each(lambda result: percent(result["tried"]["precision"]["share"]))),
        ("Picking blindly", each(lambda result: percent(result["tried"]["guessing"]))),
        ("Recall", each(lambda result: percent(result["tried"]["recall"]["share"]))),
        ("F1", each(lambda result: share(result["tried"]["f1"]))),
        (
            "Best threshold",
            each(lambda result: "–" if result["best_threshold"] is None else f"{result['best_threshold']:g} points"),
        ),
        ("Median lead time", each(lambda result: backtest_report.days(result["lead_time"], 1))),
    ]
