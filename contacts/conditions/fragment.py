"""Pieces of SQL that carry their parameters with them, so that no value or name ever becomes part of the text. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

_SLOT = re.compile(r"\{([a-z]+)\}")


class Sql(NamedTuple):
    """`text` with `%s` placeholders and nothing else that begins with a per cent sign; `params` in their order."""

    text: str
    params: list[Any]


TRUE = Sql("TRUE", [])
FALSE = Sql("FALSE", [])


def fill(template: str, **parts: Sql) -> Sql:
    """Put fragments into the `{slots}` of a template; a slot may occur several times, its parameters follow it."""
    pieces = _SLOT.split(template)  # text, slot, text, slot, …, text
    params = [param for slot in pieces[1::2] for param in parts[slot].params]
    pieces[1::2] = [parts[slot].text for slot in pieces[1::2]]
    return Sql("".join(pieces), params)


def join(separator: str, parts: Iterable[Sql]) -> Sql:
    """All parts in one pair of brackets, e.g. with ` AND ` between them."""
    parts = list(parts)
    return Sql(f"({separator.join(part.text for part in parts)})", [param for part in parts for param in part.params])
