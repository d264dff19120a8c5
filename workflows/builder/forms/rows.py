"""What several controls share: rows of the same parts, which people add, take away and put in order. The parts of a row
are sent as `place.TOKEN.part`; the order of the rows is the order in which they are sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.http import QueryDict

NEW = "__new__"  # the token of the row that the page copies for another one


@dataclass(frozen=True)
class Row:
    """`token`: names the row among its neighbours, and nothing else. `parts`: what its template needs."""

    token: str
    parts: Mapping[str, Any]
    wrong: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def sent(data: QueryDict, name: str, part: str) -> list[dict[str, str]]:
    """The rows that were sent, each with its parts. `part`: one that every row sends."""
    prefix, suffix = f"{name}.", f".{part}"
    tokens = [
        key.removeprefix(prefix).removesuffix(suffix)
        for key in data
        if key.startswith(prefix) and key.endswith(suffix) and "." not in key[len(prefix) : -len(suffix)]
    ]
    return [
        {
            key.removeprefix(f"{prefix}{token}."): data.get(key, "")
            for key in data
            if key.startswith(f"{prefix}{token}.")
        }
        for token in tokens
    ]
