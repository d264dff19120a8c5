"""Reports in the admin: what there is to ask, an answer with its charts, its table and its files, and who gets it by
mail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import path, reverse

from analytics.models import ReportSubscription
from analytics.pages.report_form import SubscriptionForm
from analytics.reports import asked, drawing, files, reading, register, subscriptions, wording
from analytics.reports.asked import Asked, BadFilters
from analytics.reports.downloads import download
from analytics.reports.reading import Rows, Unreadable
from analytics.reports.report import Choice, OneOf, Report
from analytics.reports.subscriptions import BadSubscription
from contacts import clock, transactions
from contacts.pages.changelists import ReadOnlyAdmin

STOPPED = {
    subscriptions.BY_READER: "stopped by whoever got it",
    subscriptions.BY_HAND: "stopped here",
    subscriptions.NO_ACCOUNT: "its account may not see reports any more",
}


@dataclass(frozen=True)
class Field:
    """A filter as an input: `kind` select · date. `options`: value and words."""

    name: str
    label: str
    kind: str
    value: str
    options: Sequence[tuple[str, str]] = ()
    problem: str = ""


@admin.register(ReportSubscription)
class ReportAdmin(ReadOnlyAdmin):
    title_of_list = "Reports"

    def may_subscribe(self, request: HttpRequest) -> bool:
        return request.user.has_perm("analytics.add_reportsubscription")

    def may_stop(self, request: HttpRequest, subscription: ReportSubscription) -> bool:
        is_own = subscription.created_by == request.user.get_username()
        return is_own or request.user.has_perm("analytics.change_reportsubscription")

    def get_urls(self) -> list[Any]:
        wrap = self.admin_site.admin_view
        return [
            path("mails/<uuid:public_id>/stop/", wrap(self.stop_view), name="analytics_report_stop"),
            path("<slug:slug>/mail/", wrap(self.mail_view), name="analytics_report_mail"),
            path("<slug:slug>/", wrap(self.report_view), name="analytics_report"),
            path("<slug:slug>.<slug:kind>", wrap(self.file_view), name="analytics_report_file"),
            path("", wrap(self.changelist_view), name="analytics_reportsubscription_changelist"),
        ]

    # -- pages ---------------------------------------------------------------------------------------------------------

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return self._page(
            request,
            "admin/analytics/reports.html",
            "Reports",
            crumbs=[("Reports", "")],
            reports=register.reports(),
            mails=self._mails(request, ReportSubscription.objects.all()),
        )

    def report_view(self, request: HttpRequest, slug: str) -> HttpResponse:
        """`?filter=value`: what is asked. What cannot be asked is said beside its filter, and nothing is read."""
        report = self._report(request, slug)
        said = request.GET.dict()
        try:
            wanted, problems = asked.read(report, said, strict=False), {}
        except BadFilters as error:
            wanted, problems = Asked(), {str(fault.loc[0]): fault.msg for fault in error.faults}
        options, answer, trouble = _read(report, None if problems else wanted)
        return self._page(
            request,
            "admin/analytics/report.html",
            report.title,
            crumbs=self.crumbs(report.title),
            report=report,
            fields=_fields(report, said, options, problems),
            is_narrowed=bool(wanted.given or problems),
            trouble=trouble,
            **_shown(report, answer),
            csv_url=_file(report, files.CSV, wanted),
            parquet_url=_file(report, files.PARQUET, wanted),
            mail_url=reverse("admin:analytics_report_mail", args=[slug]) + asked.query(wanted),
            mails=self._mails(request, ReportSubscription.objects.filter(report=slug)),
        )

    def file_view(self, request: HttpRequest, slug: str, kind: str) -> HttpResponseBase:
        report = self._report(request, slug)
        if kind not in files.TYPES:
            raise Http404
        try:
            return download(report, reading.read(report, asked.read(report, request.GET.dict(), strict=False)), kind)
        except (BadFilters, Unreadable):  # the page says what is wrong
            asks_for = f"?{urlencode(request.GET.dict())}" if request.GET else ""
            return HttpResponseRedirect(reverse("admin:analytics_report", args=[slug]) + asks_for)

    def mail_view(self, request: HttpRequest, slug: str) -> HttpResponse:
        """A report with these filters, every so often, to somebody."""
        report = self._report(request, slug)
        if not self.may_subscribe(request):
            raise PermissionDenied
        try:
            wanted = asked.read(report, request.GET.dict(), strict=False)
        except BadFilters:
            return HttpResponseRedirect(reverse("admin:analytics_report", args=[slug]))
        form = SubscriptionForm(request.POST or None, email=getattr(request.user, "email", ""))
        if request.method == "POST" and form.is_valid() and self._subscribe(request, form, report, wanted):
            return HttpResponseRedirect(reverse("admin:analytics_report", args=[slug]) + asked.query(wanted))
        page_url = reverse("admin:analytics_report", args=[slug])
        response = self._page(
            request,
            "admin/analytics/report_mail.html",
            "Send by mail",
            crumbs=[*self.crumbs()[:1], (report.title, page_url), ("Send by mail", "")],
            report=report,
            form=form,
            said=asked.sentence(report, wanted),
        )
        response.status_code = 422 if form.errors else 200
        return response

    def stop_view(self, request: HttpRequest, public_id: Any) -> HttpResponse:
        found = ReportSubscription.objects.filter(public_id=public_id).first()
        if request.method != "POST" or found is None or not self.may_stop(request, found):
            raise PermissionDenied
        transactions.run(lambda now: subscriptions.stop(public_id, because=subscriptions.BY_HAND))
        messages.success(request, f"Stopped: no more mails of this report to {found.email}.")
        return HttpResponseRedirect(reverse("admin:analytics_report", args=[found.report]))

    # -- what they are made of -----------------------------------------------------------------------------------------

    def _page(self, request: HttpRequest, template: str, title: str, **more: Any) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": title,
            "as_of": reading.as_of(),
            "now": clock.now(),
            "may_subscribe": self.may_subscribe(request),
            "may_build": request.user.has_perm("analytics.view_warehouserun"),
            **more,
        }
        return TemplateResponse(request, template, context)

    def _report(self, request: HttpRequest, slug: str) -> Report:
        if not self.has_view_permission(request):
            raise PermissionDenied
        report = register.named(slug)
        if report is None:
            raise Http404
        return report

    def _subscribe(self, request: HttpRequest, form: SubscriptionForm, report: Report, wanted: Asked) -> bool:
        """Whether it is done; else the form says why not."""
        by = request.user.get_username()
        try:
            made = transactions.run(
                lambda now: subscriptions.subscribe(
                    report.slug, wanted.given, email=form.cleaned_data["email"], rhythm=form.rhythm(), by=by, now=now
                )
            )
        except BadSubscription as error:
            form.refuse(error)
            return False
        messages.success(request, f"{report.title} goes to {made.email} {subscriptions.shown(made)['when']}.")
        return True

    def _mails(self, request: HttpRequest, found: Any) -> list[dict[str, Any]]:
        """Those that are one's own, or all for whoever may change them; the newest first, stopped ones last."""
        own = (
            found
            if request.user.has_perm("analytics.change_reportsubscription")
            else found.filter(created_by=request.user.get_username())
        )
        rows = list(own.order_by("-is_active", "-pk")[:50])
        last = subscriptions.last_mails(rows)
        return [
            {
                "row": row,
                "trouble": subscriptions.trouble(row, last.get(row.pk)) if row.is_active else "",
                "stopped": STOPPED.get(row.stopped_because, ""),
                "asked": urlencode(row.filters),
                **subscriptions.shown(row),
            }
            for row in rows
        ]


def _read(report: Report, wanted: Asked | None) -> tuple[Mapping[str, Sequence[str]], Rows | None, str]:
    """The values of the filters, the answer, and why there is none."""
    try:
        options = reading.options(report)
        return options, reading.read(report, wanted, most=reading.MOST_SHOWN) if wanted else None, ""
    except Unreadable as error:
        return {}, None, str(error)


def _shown(report: Report, answer: Rows | None) -> dict[str, Any]:
    if answer is None:
        return {"charts": [], "headings": [], "rows": [], "is_read": False}
    return {
        "is_read": True,
        "charts": [drawing.draw(report, chart, answer.rows, wording.shown) for chart in report.charts],
        "headings": [(wording.heading(column), column) for column in report.columns],
        "rows": [
            [
                (wording.shown(column, value), column.is_number)
                for column, value in zip(report.columns, row, strict=True)
            ]
            for row in answer.rows
        ],
        "is_cut": answer.is_cut,
        "most": f"{reading.MOST:,}",  # rows of a file
    }


def _fields(
    report: Report, said: Mapping[str, str], options: Mapping[str, Sequence[str]], problems: Mapping[str, str]
) -> list[Field]:
    fields = []
    for each in report.filters:
        if isinstance(each, Choice):
            value = said.get(each.key) or each.usual
            choices = list(each.options.items())
            fields.append(Field(each.key, each.label, "select", value, choices, problems.get(each.key, "")))
        elif isinstance(each, OneOf):
            value = said.get(each.key, "")
            known = list(options.get(each.key, ()))
            values = [*known, *([value] if value and value not in known else [])]
            choices = [
                ("", each.every),
                *((one, wording.word(each.kind, one)) for one in values),
            ]
            fields.append(Field(each.key, each.label, "select", value, choices, problems.get(each.key, "")))
        else:
            for key, edge in zip(asked.names(each), ("from", "to"), strict=True):
                label = f"{each.label} {edge}"
                fields.append(Field(key, label, "date", said.get(key, ""), problem=problems.get(key, "")))
    return fields


def _file(report: Report, kind: str, wanted: Asked) -> str:
    return reverse("admin:analytics_report_file", args=[report.slug, kind]) + asked.query(wanted)
