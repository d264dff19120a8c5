"""What the question before a deletion says: what goes along is counted, no further than a bound, and never fetched.

Django would fetch everything that hangs on a thing, to name each row of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.actions import delete_selected
from django.db.models import CASCADE, DO_NOTHING, SET_DEFAULT, SET_NULL, Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.text import capfirst

AT_ONCE = 50  # things that are chosen in a list and deleted together
COUNTED = 1000  # more rows than this are "more than 1,000"
_LETS_GO = (DO_NOTHING, SET_NULL, SET_DEFAULT)  # what names the thing stays, without it


@dataclass(frozen=True)
class Hanging:
    """Rows that hang on what is deleted. `count`: of them, up to COUNTED + 1. `bars`: nothing is deleted while there
    are any; else they go along."""

    model: type[Model]
    count: int
    bars: bool

    @property
    def counted(self) -> str:
        return f"more than {COUNTED:,}" if self.count > COUNTED else f"{self.count:,}"


def hanging(model: type[Model], ids: Any) -> Iterator[Hanging]:
    """What hangs on these rows of a table, and on what goes along with them. One statement a relation."""
    for relation in _pointing_at(model):
        on_delete: Callable[..., Any] = relation.on_delete
        if on_delete in _LETS_GO:
            continue
        other: type[Model] = relation.related_model
        rows = other._base_manager.filter(**{f"{relation.remote_field.name}__in": ids}).order_by()
        if not (count := rows[: COUNTED + 1].count()):
            continue
        yield Hanging(other, count, bars=on_delete is not CASCADE)
        if on_delete is CASCADE and other is not model:
            yield from hanging(other, rows.values("pk"))


def _pointing_at(model: type[Model]) -> list[Any]:
    fields: list[Any] = list(model._meta.get_fields(include_hidden=True))
    return [each for each in fields if each.auto_created and not each.concrete and not each.many_to_many]


def question(
    model_admin: Any, request: HttpRequest, things: list[Any]
) -> tuple[list[str], dict[str, str], set[str], list[str]]:
    """What `ModelAdmin.get_deleted_objects` answers with: what is deleted, how many rows of what go along, what else
    somebody would need to be allowed to delete, and what bars it, in words that follow "it". The list's `hanging_words`
    say what is what; a table that only ties two things together is not told without."""
    along: dict[str, str] = {}
    lacking: set[str] = set()
    barring: list[str] = []
    for each in hanging(type(things[0]), [thing.pk for thing in things]) if things else ():
        meta = each.model._meta
        registered = model_admin.admin_site._registry.get(each.model)
        words = model_admin.hanging_words.get(meta.label, "" if meta.auto_created else str(meta.verbose_name_plural))
        if each.bars:
            barring.append(f"still has {each.counted} {words}")
        elif registered is not None and not registered.has_delete_permission(request):
            lacking.add(words)
        elif words:
            along[words] = each.counted
    return [f"{capfirst(str(thing._meta.verbose_name))}: {thing}" for thing in things], along, lacking, barring


@admin.action(permissions=["delete"], description="Delete the selected %(verbose_name_plural)s")
def delete_some(model_admin: Any, request: HttpRequest, chosen: QuerySet[Any]) -> HttpResponse | None:
    """Of a list: no more at once than a page of it has, though all be chosen."""
    ids = list(chosen.values_list("pk", flat=True)[: AT_ONCE + 1])
    if len(ids) > AT_ONCE:
        messages.error(request, f"Nothing is deleted: choose {AT_ONCE} at most.")
        return None
    return delete_selected(model_admin, request, chosen.model._default_manager.filter(pk__in=ids))
