"""What every list of the admin has in common: pages that never count a big table, rows furnished by the page (not by
the cell), and words for an empty list."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from django.contrib.admin import ShowFacets
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.text import capfirst
from unfold.admin import ModelAdmin
from unfold.views import ChangeList

from contacts import clock

COUNTED = 1000  # more rows than this are "more than 1,000": a full count would read the whole table
UNCOUNTED = 9_999_999_999


class BoundedPaginator(Paginator):
    """Counts no further than COUNTED; beyond it the pages have a next one for as long as they are full."""

    template_name = "admin/carillon/pagination.html"
    limit = COUNTED

    @cached_property
    def count(self) -> int:
        rows = cast(QuerySet[Any], self.object_list)
        seen = rows.order_by()[: COUNTED + 1].count()
        return seen if seen <= COUNTED else UNCOUNTED

    @property
    def is_counted(self) -> bool:
        return self.count != UNCOUNTED


class Rows(ChangeList):
    """One page of rows, handed to `ModelAdmin.furnish` as a whole, so that a column costs one query a page."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.full_result_count = self.result_count  # else the header claims a number of results that nobody counted
        rows = list(cast(Iterable[Any], vars(self)["result_list"]))
        self.result_list = rows
        self.model_admin.furnish(rows, now=clock.now())


@dataclass(frozen=True)
class Empty:
    """What a list says when there is nothing in it yet; `command` is something to copy into a terminal."""

    icon: str
    title: str
    text: str
    command: str = ""


class CarillonAdmin(ModelAdmin):
    """A list that scales, whatever the table holds."""

    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = ShowFacets.NEVER  # they would count the table once for every choice
    list_max_show_all = 0
    list_per_page = 50
    list_filter_sheet = True
    sortable_by: Sequence[str] = ()
    actions_on_top = True
    compressed_fields = True
    empty: Empty | None = None
    title_of_list = ""
    nouns = ("", "")  # one, many; where the model's own names are not what people say

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return Rows

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        title = self._list_title()
        return super().changelist_view(request, {"title": title, "crumbs": [(title, "")], **(extra_context or {})})

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        row = self.get_object(request, unquote(object_id)) if object_id else None
        crumbs = self.crumbs(row or f"New {self.noun}")
        return super().changeform_view(request, object_id, form_url, {"crumbs": crumbs, **(extra_context or {})})

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        row = self.get_object(request, unquote(object_id))
        return super().delete_view(request, object_id, {"crumbs": self.crumbs(row, "Delete"), **(extra_context or {})})

    @property
    def noun(self) -> str:
        return self.nouns[0] or str(self.opts.verbose_name)

    @property
    def plural(self) -> str:
        return self.nouns[1] or str(self.opts.verbose_name_plural)

    def _list_title(self) -> str:
        return self.title_of_list or capfirst(self.plural)

    def crumbs(self, *last: object) -> list[tuple[str, str]]:
        """The way to a page of this list: its name with its address, then what is given."""
        here = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")
        return [(self._list_title(), here), *((str(step), "") for step in last)]

    def furnish(self, rows: list[Any], *, now: datetime) -> None:
        """Attach to one page of rows what its columns show. Costs a constant number of statements."""


class ReadOnlyAdmin(CarillonAdmin):
    """To look at: no add, change or delete, whoever asks."""

    actions: Sequence[str] | None = None

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class RecordAdmin(ReadOnlyAdmin):
    """Read-only, with a page of our own instead of a form full of greyed fields."""

    record_template = "admin/carillon/record.html"

    def record(self, request: HttpRequest, row: Any, *, now: datetime) -> dict[str, Any]:
        """What the page shows: `name`, and `facts`, pairs of a label and a value."""
        raise NotImplementedError

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        row = self.get_object(request, unquote(object_id))
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        if row is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        record = self.record(request, row, now=clock.now())
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "crumbs": self.crumbs(record["name"]),
            "title": record["name"],
            "row": row,
            **record,
            **(extra_context or {}),
        }
        return TemplateResponse(request, self.record_template, context)
