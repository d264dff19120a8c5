"""Taking people out of a journey by hand: one from their page, or those who are selected in the list."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse

from contacts import transactions
from workflows.models import Enrolment
from workflows.models.enrolment import UNFINISHED
from workflows.watches import exits

SLICE = 500  # a transaction each
MOST = 5_000  # in one request


class TakingOut:
    """For the list of enrolments and the page of one."""

    admin_site: Any

    def has_take_out_permission(self, request: Any) -> bool:
        return request.user.has_perm("workflows.change_enrolment")

    def removal_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.take_out_view)
        return [path("<int:pk>/take-out/", view, name="workflows_enrolment_take_out")]

    def may_take_out(self, request: HttpRequest, row: Enrolment) -> bool:
        return row.state in UNFINISHED and self.has_take_out_permission(request)

    @admin.action(description="Take the selected people out", permissions=["take_out"])
    def take_out_selected(self, request: Any, queryset: QuerySet) -> None:
        under_way = queryset.filter(state__in=UNFINISHED).order_by("pk").values_list("pk", flat=True)
        ids = list(under_way[: MOST + 1])
        taken = sum(
            transactions.run(partial(exits.take_out, ids[first : first + SLICE], by=request.user.get_username()))
            for first in range(0, len(ids[:MOST]), SLICE)
        )
        more = " There are more: do it again for the others." if len(ids) > MOST else ""
        messages.success(request, f"Taken out: {taken:,}. Emails of theirs that were still queued are cancelled.{more}")

    def take_out_view(self, request: Any, pk: int) -> HttpResponse:
        if request.method != "POST" or not self.has_take_out_permission(request):
            raise PermissionDenied
        if not Enrolment.objects.filter(pk=pk).exists():
            raise Http404("Nobody is in a journey under that number")
        if transactions.run(partial(exits.take_out, [pk], by=request.user.get_username())):
            messages.success(request, "Taken out. Emails that were still queued are cancelled.")
        else:
            messages.info(request, "The journey was over already.")
        return HttpResponseRedirect(reverse("admin:workflows_enrolment_change", args=[pk]))
