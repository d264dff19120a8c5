"""What every list of the admin has in common: pages that never count a big table and cost the same however far back
they lie, rows furnished by the page (not by the cell), and words for an empty list."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, cast

from django.contrib import admin
from django.contrib.admin import ShowFacets
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import PAGE_VAR, SEARCH_VAR
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Max, Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.text import capfirst
from unfold.admin import ModelAdmin
from unfold.views import ChangeList

from contacts import clock
from contacts.pages import deletions, floors, keyset
from contacts.pages.floors import Sample

COUNTED = 1000  # more rows than this are "more than 1,000": a full count would read the whole table
UNCOUNTED = 9_999_999_999
LOOKED_THROUGH = 200_000  # the newest rows, among which a filter without an index finds what it wants


admin.site.disable_action("delete_selected")  # Django's own has every row that is chosen, and all that hangs on it
admin.site.add_action(deletions.delete_some, "delete_selected")


class BoundedPaginator(Paginator):
    """Counts no further than COUNTED; beyond it the pages have a next one for as long as there are rows."""

    template_name = "admin/carillon/pagination.html"
    limit = COUNTED

    @cached_property
    def count(self) -> int:
        rows = cast(QuerySet[Any], self.object_list)
        seen = rows[: COUNTED + 1].count()  # in their order, so that what is counted is what is shown
        return seen if seen <= COUNTED else UNCOUNTED

    @property
    def is_counted(self) -> bool:
        return self.count != UNCOUNTED


class Rows(ChangeList):
    """One page of rows, handed to `ModelAdmin.furnish` as a whole, so that a column costs one query a page."""

    page_num: int
    looked_through = 0  # how many of the newest rows this page was sought among; 0: all
    next_url = previous_url = ""

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        rows = super().get_queryset(request, exclude_parameters)
        scanning = self.model_admin.scanning
        found_by_index = self.query and SEARCH_VAR not in scanning
        if found_by_index or not any(request.GET.get(name) not in {None, "", "any"} for name in scanning):
            return rows
        self.looked_through = LOOKED_THROUGH
        return self.model_admin.newest(request, rows)

    def get_results(self, request: HttpRequest) -> None:
        """`?p=` is the number of a page, as far as rows are counted, and else a place in their order."""
        order, asked = keyset.fields(self.queryset), request.GET.get(PAGE_VAR, "")
        place = _place(asked) if "." in asked and order else None
        if self.page_num > COUNTED // self.list_per_page + 1:
            raise IncorrectLookupParameters(f"page {self.page_num} is reached from the one before it")
        super().get_results(request)
        self.full_result_count = self.result_count  # else the header claims a number of results that nobody counted
        if place and order:
            try:
                rows, more = keyset.page(self.queryset, order, place, self.list_per_page)
            except keyset.BadPlace as error:
                raise IncorrectLookupParameters(str(error)) from error
            self.page_num, self.multi_page = place.page, True
            earlier, later = (True, more) if place.side == "after" else (more, True)
        else:
            rows = list(cast(Iterable[Any], vars(self)["result_list"]))
            earlier = self.page_num > 1
            later = self.multi_page and len(rows) == self.list_per_page
            if cast(BoundedPaginator, self.paginator).is_counted:
                later = later and self.page_num < self.paginator.num_pages
        self.result_list = rows
        self.previous_url = self._url(rows, order, self.page_num - 1, "before") if earlier else ""
        self.next_url = self._url(rows, order, self.page_num + 1, "after") if later else ""
        empty = self.model_admin.empty or Empty("", "", "")
        self.offered_deed, self.offered_sample = (_offered(each, request) for each in (empty.deed, empty.sample))
        self.model_admin.furnish(rows, now=clock.now())

    def _url(
        self,
        rows: Sequence[Model],
        order: Sequence[tuple[str, bool]] | None,
        page: int,
        side: Literal["after", "before"],
    ) -> str:
        """Of the page before or after this one, or nothing where nothing marks it."""
        if page <= 1:
            return self.get_query_string()
        if cast(BoundedPaginator, self.paginator).is_counted:
            return self.get_query_string({PAGE_VAR: page})
        if not rows:
            return self.get_query_string()
        if not order:
            return ""
        row = rows[-1] if side == "after" else rows[0]
        return self.get_query_string({PAGE_VAR: keyset.place(row, order, page=page, side=side)})


def _place(asked: str) -> keyset.Place:
    try:
        return keyset.read(asked)
    except keyset.BadPlace as error:
        raise IncorrectLookupParameters(str(error)) from error


@dataclass(frozen=True)
class Empty:
    """What a list says when there is nothing in it yet: what the thing is, and where it comes from. `command` is
    something to copy into a terminal. `deed` is the one button where the list has no add page of its own; `sample`
    leads to something of the kind. Both are a page, or the key of one that a floor above has registered."""

    icon: str
    title: str
    text: str
    command: str = ""
    deed: Sample | str | None = None
    sample: Sample | str | None = None


def _offered(given: Sample | str | None, request: HttpRequest) -> Sample | None:
    """The page that is meant, for whoever may use it."""
    sample = floors.sample(given) if isinstance(given, str) else given
    return sample if sample and (not sample.permission or request.user.has_perm(sample.permission)) else None


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
    delete_confirmation_template = "admin/carillon/delete.html"
    delete_selected_confirmation_template = "admin/carillon/delete.html"
    hanging_words: Mapping[str, str] = {}  # what hangs on a thing, by its model, where a deletion is asked about
    empty: Empty | None = None
    title_of_list = ""
    nouns = ("", "")  # one, many; where the model's own names are not what people say
    # filters (their parameters; "q": the search) that no index answers: the newest rows alone are looked through
    scanning: Collection[str] = ()

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

    def get_deleted_objects(
        self, objs: Iterable[Any], request: HttpRequest
    ) -> tuple[list[str], dict[str, str], set[str], list[str]]:
        """Counted, where Django fetches the whole cascade: `deletions`."""
        return deletions.question(self, request, list(objs))

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

    def newest(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Those among the newest LOOKED_THROUGH of the list."""
        last: int = self.model._default_manager.aggregate(last=Max("pk"))["last"] or 0
        return rows.filter(pk__gt=last - LOOKED_THROUGH)

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
