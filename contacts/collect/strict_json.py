"""JSON as it is meant (RFC 8259), and nothing that Python or PostgreSQL would read otherwise or not at all. Pure.

`read` takes the whole text and is patient: whatever JSON cannot mean (NaN, 1e400, a number beyond 2^53, the same name
twice, bytes that are not UTF-8, nesting without end) becomes a value that `fault_in` finds. So one bad element of a
batch can be told from its neighbours, and the neighbours live.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from json import JSONDecodeError, JSONDecoder
from math import isfinite
from typing import Any

from contacts.faults import Fault

BIGGEST_INTEGER = 2**53  # beyond it, readers that keep numbers as doubles disagree about them
DEEPEST_READ = 100  # what lies deeper is cut away; every Limits.depth is less
MOST_VALUES = 2_000_000  # of a body; a batch of the largest honest events has fewer


class NotJson(ValueError):
    """The text as a whole is not JSON; the message says where."""


class TooManyValues(ValueError):
    """The text would take far more memory than it has bytes."""


class _Flaw:
    """Stands in the place of a value that must not be there."""

    def __init__(self, code: str, msg: str) -> None:
        self.fault = Fault(code, msg)


class _Repeated(dict[str, Any]):
    """An object in which a name stands twice: readers differ about which one holds."""


_NOT_FINITE = _Flaw("not_finite", "is not a number that JSON can hold")
_OUT_OF_RANGE = _Flaw("out_of_range", "is a whole number beyond 2^53")

NUL = Fault("nul", "holds the character U+0000")
NOT_UNICODE = Fault("surrogate", "holds half of a surrogate pair, or is not UTF-8")
REPEATED = Fault("duplicate_key", "has the same name twice")


def _integer(digits: str) -> int | _Flaw:
    if len(digits) > 17:  # also keeps Python from refusing integers of thousands of digits
        return _OUT_OF_RANGE
    number = int(digits)
    return number if -BIGGEST_INTEGER <= number <= BIGGEST_INTEGER else _OUT_OF_RANGE


def _real(digits: str) -> float | _Flaw:
    number = float(digits)
    return number if isfinite(number) else _NOT_FINITE


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    return members if len(members) == len(pairs) else _Repeated(members)


_DECODER = JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_real, parse_constant=lambda _: _NOT_FINITE
)


def read(body: bytes) -> Any:
    """The value of a JSON text. Raises NotJson, TooManyValues; never anything else, whatever the bytes."""
    if body.count(b",") + body.count(b"[") + body.count(b"{") > MOST_VALUES:
        raise TooManyValues("the body holds too many values")
    text = body.decode("utf-8", "surrogateescape")  # a byte that is not UTF-8 becomes a lone surrogate, found below
    try:
        try:
            return _DECODER.decode(text)
        except RecursionError:
            return _DECODER.decode(_cut_deep(text))
    except JSONDecodeError as error:
        raise NotJson(f"{error.msg} at character {error.pos}") from None


# A string (or the rest, where it is never closed), or a run of brackets. The possessive quantifier and the second
# alternative of the end keep it linear on any text.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[\[{]+|[\]}]+', re.DOTALL)


def _cut_deep(text: str) -> str:
    """The text with every value below DEEPEST_READ replaced by null, without recursion."""
    pieces: list[str] = []
    depth = kept_from = 0
    for token in _TOKEN.finditer(text):
        start, end = token.span()
        first = text[start]
        if first in "[{":
            if depth <= DEEPEST_READ < depth + end - start:
                pieces += [text[kept_from : start + DEEPEST_READ - depth], "null"]
            depth += end - start
        elif first in "]}":
            if depth - (end - start) <= DEEPEST_READ < depth:
                kept_from = start + depth - DEEPEST_READ
            depth -= end - start
    if depth <= DEEPEST_READ:
        pieces.append(text[kept_from:])
    return "".join(pieces)


_SKIPPER = JSONDecoder(parse_int=float)  # of a text that `read` took; any number of digits is a float
_skip_space = re.compile(r"[ \t\n\r]*").match


def element_texts(body: bytes, name: str) -> list[str]:
    """The texts of the elements of the list `name` in an object that `read` took, as they were sent; where they are
    nested without end, without what `read` did not look at either. For the few that are rejected: reads all again."""
    text = body.decode("utf-8", "surrogateescape")
    try:
        return _element_texts(text, name)
    except RecursionError:
        return _element_texts(_cut_deep(text), name)


def _element_texts(text: str, name: str) -> list[str]:
    found: list[str] = []
    at = _after(text, 0, "{")
    while text[at] != "}":
        member, at = _SKIPPER.raw_decode(text, at)
        at = _after(text, at, ":")
        if member == name and text[at] == "[":
            found, at = [], _after(text, at, "[")
            while text[at] != "]":
                start, at = at, _SKIPPER.raw_decode(text, at)[1]
                found.append(text[start:at])
                at = _after(text, at, ",")
            at += 1
        else:
            at = _SKIPPER.raw_decode(text, at)[1]
        at = _after(text, at, ",")
    return found


def _after(text: str, at: int, character: str) -> int:
    """Past the space there, the character if it is the next one, and the space behind it."""
    at = _end(_skip_space(text, at))
    return _end(_skip_space(text, at + 1)) if text[at] == character else at


def _end(match: re.Match[str] | None) -> int:
    assert match is not None  # the pattern matches anything
    return match.end()


@dataclass(frozen=True)
class Limits:
    """`depth`: containers in containers; `string`: bytes of one string; `total`: bytes of the whole, 0 for no limit."""

    depth: int
    string: int
    total: int = 0


EVENT = Limits(depth=32, string=8 * 1024, total=32 * 1024)
DOCUMENT = Limits(depth=64, string=1024 * 1024)  # a definition or a template


class _Found(Exception):
    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.loc: list[str | int] = []  # innermost first


@dataclass
class _Inspection:
    """A walk over one value. The sums are upper bounds of its size, so that it is rarely measured exactly."""

    limits: Limits
    characters: int = 0
    values: int = 0
    too_deep: Fault = field(init=False)
    too_long: Fault = field(init=False)

    def __post_init__(self) -> None:
        self.too_deep = Fault("too_deep", f"is nested more than {self.limits.depth} deep")
        self.too_long = Fault("too_long", f"is a text of more than {self.limits.string} bytes")

    def visit(self, value: Any, depth: int) -> None:
        self.values += 1
        kind = type(value)
        if kind is str:
            self.visit_text(value)
        elif kind is dict or kind is list:
            if depth > self.limits.depth:
                raise _Found(self.too_deep)
            self.visit_members(value.items() if kind is dict else enumerate(value), depth)
        elif kind is _Flaw:
            raise _Found(value.fault)
        elif kind is _Repeated:
            raise _Found(REPEATED)

    def visit_members(self, members: Iterable[tuple[str | int, Any]], depth: int) -> None:
        for name, member in members:
            if type(name) is str:
                self.visit_text(name)
            try:
                self.visit(member, depth + 1)
            except _Found as found:
                found.loc.append(name)
                raise

    def visit_text(self, text: str) -> None:
        length = len(text)
        self.characters += length
        if "\x00" in text:
            raise _Found(NUL)
        if not text.isascii():
            try:
                length = len(text.encode())
            except UnicodeEncodeError:
                raise _Found(NOT_UNICODE) from None
        if length > self.limits.string:
            raise _Found(self.too_long)


_CLOSER = -1  # what `_bound` says of a value that needs a closer look
_HARMLESS = frozenset({int, float, bool, type(None)})
_WIDEST = 4  # bytes of a character


def _bound(value: dict[str, Any] | list[Any], limits: Limits, depth: int) -> int:
    """An upper bound of the size in bytes of a container in which nothing is wrong, or _CLOSER. The rules are those of
    `_Inspection`, in a fraction of its time, since nothing is said about what is wrong, and where."""
    if depth > limits.depth:
        return _CLOSER
    # six bytes for a character (as an escape) and forty for a number or the punctuation around a value
    bound = 40 * (len(value) + 1)
    members: Iterable[Any] = value
    texts: list[str] = []
    if type(value) is dict:
        texts += value
        members = value.values()
    for member in members:
        kind = type(member)
        if kind is str:
            texts.append(member)
        elif kind is dict or kind is list:
            inner = _bound(member, limits, depth + 1)
            if inner == _CLOSER:
                return _CLOSER
            bound += inner
        elif kind not in _HARMLESS:
            return _CLOSER
    together = "".join(texts)  # what is true of all texts in one is true of each
    characters = len(together)
    if "\x00" in together or not (
        (together.isascii() and characters <= limits.string) or all(_is_sound(text, limits) for text in texts)
    ):
        return _CLOSER
    return bound + 6 * characters


def _is_sound(text: str, limits: Limits) -> bool:
    if text.isascii():
        return len(text) <= limits.string
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return len(text) * _WIDEST <= limits.string


def fault_in(value: Any, limits: Limits) -> Fault | None:
    """The first thing in `value` (as `read` gave it) that JSON, PostgreSQL or the limits forbid, and where."""
    if type(value) is dict or type(value) is list:
        bound = _bound(value, limits, 1)
        if bound != _CLOSER and (not limits.total or bound <= limits.total):
            return None
    inspection = _Inspection(limits)
    try:
        inspection.visit(value, 1)
    except _Found as found:
        return found.fault.below(*reversed(found.loc))
    if limits.total and 6 * inspection.characters + 40 * inspection.values > limits.total:
        size = len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())
        if size > limits.total:
            return Fault("too_large", f"is larger than {limits.total} bytes")
    return None
