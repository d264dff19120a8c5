"""Which values an operator may be given for a field of a type. Pure."""

from __future__ import annotations

import math
from datetime import timedelta

from contacts.conditions.instants import parse_instant
from contacts.conditions.operators import Operator
from contacts.conditions.tree import MAX_LIST, MAX_TEXT, MAX_WINDOW_DAYS, Scalar, Value
from contacts.durations import BadDuration, parse_duration

_BIGGEST_INTEGER = 2**63
_INSTANT = "an ISO 8601 date or instant such as 2026-03-04 or 2026-03-04T09:30:00Z"


class BadValue(ValueError):
    """`suffix` is where inside the value, e.g. `[3]`."""

    def __init__(self, message: str, *, code: str = "wrong_value", suffix: str = "") -> None:
        self.code, self.suffix = code, suffix
        super().__init__(message)


def check_value(operator: Operator, kind: str, value: object) -> Value:
    """`value` as the tree keeps it: instants as datetimes, lists as tuples. `kind` is the type of the field; the
    operator is one that the field may be asked. Raises BadValue."""
    match operator.takes:
        case "nothing":
            if value is not None:
                raise BadValue(f"{operator.name} takes no value")
            return None
        case "list":
            return _list(kind, value)
        case "window":
            return check_window(value)
        case "instant":
            return _instant(value)
        case "order":
            return _order(kind, value)
        case "text":
            return check_text(value)
        case "member":
            return check_text(value) if kind == "text" or isinstance(value, str) else _scalar(kind, value)
        case _:
            return _scalar(kind, value)


def check_text(value: object, *, most: int = MAX_TEXT, least: int = 1) -> str:
    """Text that PostgreSQL can hold. Raises BadValue."""
    if not isinstance(value, str):
        raise BadValue(f"expected text, got {_name(value)}")
    if len(value) < least:
        raise BadValue("the text is empty")
    if len(value) > most:
        raise BadValue(f"at most {most} characters, got {len(value)}", code="too_long")
    if "\x00" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise BadValue("the text holds a character that cannot be stored (NUL or half of a surrogate pair)")
    return value


def check_window(value: object) -> str:
    """An ISO 8601 duration longer than nothing. Raises BadValue."""
    if not isinstance(value, str) or len(value) > 100:
        raise BadValue("expected an ISO 8601 duration such as P30D or PT12H")
    try:
        length = parse_duration(value).total()
    except BadDuration as error:
        raise BadValue(str(error)) from error
    if not timedelta(0) < length <= timedelta(days=MAX_WINDOW_DAYS):
        raise BadValue("the duration must be longer than nothing and at most a hundred years")
    return value


def _list(kind: str, value: object) -> tuple[Scalar, ...]:
    if not isinstance(value, list) or not value:
        raise BadValue(f"expected a list of at least one value, got {_name(value)}")
    if len(value) > MAX_LIST:
        raise BadValue(f"at most {MAX_LIST} values, got {len(value)}", code="too_long")
    items = []
    for position, item in enumerate(value):
        try:
            items.append(_scalar(kind, item))
        except BadValue as error:
            raise BadValue(str(error), code=error.code, suffix=f"[{position}]") from error
    return tuple(items)


def _order(kind: str, value: object) -> Scalar:
    if kind == "instant" or (kind == "json" and isinstance(value, str)):
        return _instant(value)
    return _number(value, expected="a number" if kind == "number" else f"a number, or {_INSTANT}")


def _scalar(kind: str, value: object) -> Scalar:
    match kind:
        case "text":
            # a contact's empty text counts as missing, so nothing could ever equal it
            return check_text(value)
        case "instant":
            return _instant(value)
        case "number":
            return _number(value)
        case "boolean":
            if not isinstance(value, bool):
                raise BadValue(f"expected true or false, got {_name(value)}")
            return value
    if isinstance(value, str):
        return check_text(value, least=0)
    if isinstance(value, bool):
        return value
    return _number(value, expected="text, a number, true or false")


def _number(value: object, *, expected: str = "a number") -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadValue(f"expected {expected}, got {_name(value)}")
    if isinstance(value, int) and not -_BIGGEST_INTEGER <= value < _BIGGEST_INTEGER:
        raise BadValue("the whole number does not fit into 64 bits")
    if isinstance(value, float) and not math.isfinite(value):
        raise BadValue("the number is not finite")
    return value


def _instant(value: object) -> Scalar:
    try:
        return parse_instant(check_text(value))
    except ValueError as error:  # BadValue included
        raise BadValue(f"expected {_INSTANT}, got {_name(value)}") from error


def _name(value: object) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case str():
            return "text"
        case int() | float():
            return "a number"
        case list():
            return "a list" if value else "an empty list"
        case dict():
            return "an object"
    return f"a {type(value).__name__}"
