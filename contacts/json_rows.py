"""Rows for a statement as one JSON parameter.

The driver writes an array of texts element by element, in Python; one JSON document is written by a C encoder and read
by PostgreSQL about as fast. For a batch of events that is a tenth of the time."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode


def dump(rows: Iterable[Sequence[Any]]) -> str:
    """A JSON array of arrays, for `jsonb_array_elements(%s::jsonb) WITH ORDINALITY`. What JSON cannot say (NaN, NUL,
    half a surrogate pair) comes out as a text that PostgreSQL or the driver refuses, like the value itself would be."""
    return _encode(list(rows))
