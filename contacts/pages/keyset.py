"""Paging by where the last page ended: a page costs the same, however many come before it.

A place is written as `3.after.WyIxMjMiXQ`: which page it is, on which side of a row it lies, and what that row is
ordered by (base64 of JSON)."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db.models import Field, Model, Q, QuerySet

MOST_DIGITS = 9


class BadPlace(Exception):
    """No page begins there."""


@dataclass(frozen=True)
class Place:
    """Page `page` has the rows after (or the last ones before) the row whose keys are `keys`."""

    page: int
    side: Literal["after", "before"]
    keys: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.page}.{self.side}.{urlsafe_b64encode(json.dumps(self.keys).encode()).decode().rstrip('=')}"


def read(text: str) -> Place:
    """Raises BadPlace."""
    page, _, rest = text.partition(".")
    side, _, encoded = rest.partition(".")
    if not (page.isascii() and page.isdigit() and len(page) <= MOST_DIGITS) or side not in ("after", "before"):
        raise BadPlace(text)
    try:
        keys = json.loads(urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    except ValueError as error:
        raise BadPlace(text) from error
    if not isinstance(keys, list) or not all(isinstance(key, str) and "\x00" not in key for key in keys):
        raise BadPlace(text)
    return Place(max(int(page), 1), "after" if side == "after" else "before", tuple(keys))


def fields(rows: QuerySet[Any]) -> tuple[tuple[str, bool], ...] | None:
    """By which columns `rows` are ordered, and whether downwards. None: by something that is no column of their own, or
    may be empty, or does not tell any two rows apart, so that no row marks a place."""
    order = []
    for each in rows.query.order_by:
        if not isinstance(each, str):
            return None
        name = each.removeprefix("-")
        try:
            field = _field(rows.model, name)
        except FieldDoesNotExist:
            return None
        if field.null:
            return None
        order.append((field.name, each.startswith("-")))
        if field.unique:
            return tuple(order)
    return None


def place(row: Model, order: Sequence[tuple[str, bool]], *, page: int, side: Literal["after", "before"]) -> Place:
    return Place(page, side, tuple(_field(type(row), name).value_to_string(row) for name, _ in order))


def page(rows: QuerySet[Any], order: Sequence[tuple[str, bool]], at: Place, size: int) -> tuple[list[Any], bool]:
    """The rows of a page, and whether there are more on its far side. One statement. Raises BadPlace."""
    if len(at.keys) != len(order):
        raise BadPlace(str(at))
    try:
        keys = [_field(rows.model, name).to_python(key) for (name, _), key in zip(order, at.keys, strict=True)]
    except ValidationError as error:
        raise BadPlace(str(at)) from error
    forwards = at.side == "after"
    found = rows.filter(_beyond(order, keys, forwards=forwards))
    if not forwards:
        found = found.reverse()
    seen = list(found[: size + 1])
    shown = seen[:size]
    return shown if forwards else shown[::-1], len(seen) > size


def _beyond(order: Sequence[tuple[str, bool]], keys: Sequence[Any], *, forwards: bool) -> Q:
    """Behind that row. What bounds the first column alone stands in front: an index begins to be read there."""
    first, downwards = order[0]
    beyond = Q(**{f"{first}__{'lte' if downwards == forwards else 'gte'}": keys[0]})
    either, same = Q(), Q()
    for (name, downwards), key in zip(order, keys, strict=True):
        either |= same & Q(**{f"{name}__{'lt' if downwards == forwards else 'gt'}": key})
        same &= Q(**{name: key})
    return beyond & either


def _field(model: type[Model], name: str) -> Field[Any, Any]:
    field = model._meta.pk if name == "pk" else model._meta.get_field(name)
    if not isinstance(field, Field):
        raise FieldDoesNotExist(name)
    return field
