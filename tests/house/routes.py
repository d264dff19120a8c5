"""Every address of the installation, with an example of each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

NOBODY = "00000000-0000-4000-8000-000000000000"
# What stands for a part of an address, by the way in which the part is written there.
_EXAMPLES = (
    (re.compile(r"\(\?P<public_id>[^()]*\)|\(\?P<device_id>[^()]*\)|\(\?P<delivery_id>[^()]*\)|<uuid:\w+>"), NOBODY),
    (re.compile(r"\(\?P<app_label>(\w+)\|[^()]*\)"), r"\1"),
    (re.compile(r"\(\?P<kind>csv\|parquet\)"), "csv"),
    (re.compile(r"\(\?P<provider>[^()]*\)"), "sendgrid"),
    (re.compile(r"\(\?P<token>\(\?s:\.\*\)\)|\(\?P<token>[^()]*\)"), "nothing"),
    (re.compile(r"\(\?P<\w+>\[(?:0|1)-9\][^()]*\)|<int:\w+>|<path:\w+>"), "1"),
    (re.compile(r"\(\?P<\w+>[^()]*\)|<\w+:\w+>|<\w+>"), "nothing"),
    (re.compile(r"\(\?:(\w+)\|\w+\)"), r"\1"),
    (re.compile(r"\(admin\)\?"), "admin"),
    (re.compile(r"/\?"), "/"),
    (re.compile(r"[\^$]|\\Z"), ""),
    (re.compile(r"\\"), ""),
)


@dataclass(frozen=True)
class Route:
    """`name`: with that of its part of the house in front, as `reverse` takes it; empty where it has none."""

    written: str
    example: str
    name: str
    view: Any


def routes() -> list[Route]:
    return [Route(written, "/" + _example(written), name, each.callback) for written, name, each in _walk()]


def _walk(
    patterns: list[Any] | None = None, before: str = "", space: str = ""
) -> Iterator[tuple[str, str, URLPattern]]:
    for each in get_resolver().url_patterns if patterns is None else patterns:
        written = before + str(each.pattern)
        if isinstance(each, URLResolver):
            inner = f"{space}{each.namespace}:" if each.namespace else space
            yield from _walk(each.url_patterns, written, inner)
        else:
            yield written, f"{space}{each.name}" if each.name else "", each


def _example(written: str) -> str:
    for pattern, instead in _EXAMPLES:
        written = pattern.sub(instead, written)
    return written
