"""What pydantic finds wrong, in the words that people read beside a field. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from workflows.definition.strict import CLOCK, KEY, SLUG, WORKFLOW_SLUG

_PATTERNS = {
    CLOCK: "expected a time of day such as 09:30",
    KEY: "expected 1 to 60 letters, digits, hyphens and underscores",
    SLUG: "expected small letters, digits, hyphens and underscores",
    WORKFLOW_SLUG: "expected small letters, digits and hyphens",
}
_WHOLE, _NUMBER, _TRUTH = "expected a whole number", "expected a number", "expected true or false"
_OBJECT, _LIST, _TEXT = "expected an object", "expected a list", "expected a text"

_Context = Mapping[str, Any]
_SAID: Mapping[str, str | Callable[[_Context], str]] = {
    "missing": "is missing",
    "extra_forbidden": "there is no such field",
    "union_tag_not_found": "is missing",
    "union_tag_invalid": lambda c: f"there is no trigger {c['tag']!r}; there are {_plain(c['expected_tags'])}",
    "literal_error": lambda c: _choice(_plain(c["expected"])),
    "value_error": lambda c: str(c["error"]),
    "string_type": _TEXT,
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_from_float": _WHOLE,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": _NUMBER,
    "bool_type": _TRUTH,
    "bool_parsing": _TRUTH,
    "dict_type": _OBJECT,
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
    "list_type": _LIST,
    "tuple_type": _LIST,
    "too_short": lambda c: f"expected at least {c['min_length']}",
    "too_long": lambda c: f"expected at most {c['max_length']:,}",
    "string_too_short": lambda c: (
        "must not be empty" if c["min_length"] == 1 else f"must have at least {c['min_length']} characters"
    ),
    "string_too_long": lambda c: f"must have at most {c['max_length']:,} characters",
    "string_pattern_mismatch": lambda c: _PATTERNS.get(c["pattern"], f"expected a text of the form {c['pattern']}"),
    "greater_than_equal": lambda c: f"must be at least {c['ge']:,.10g}",
    "less_than_equal": lambda c: f"must be at most {c['le']:,.10g}",
    "greater_than": lambda c: f"must be more than {c['gt']:,.10g}",
    "less_than": lambda c: f"must be less than {c['lt']:,.10g}",
}


def said(item: Mapping[str, Any]) -> str:
    """One of `ValidationError.errors()`, with its context."""
    if item["loc"] and item["loc"][-1] == "[key]":
        return "a step's key has 1 to 60 letters, digits, hyphens and underscores"
    found = _SAID.get(item["type"], item["msg"])
    return found if isinstance(found, str) else found(item.get("ctx", {}))


def _plain(listed: str) -> str:
    """Pydantic's `'a', 'b' or 'c'` as `a, b, c`."""
    return listed.replace(" or ", ", ").replace("'", "")


def _choice(words: str) -> str:
    return f"expected one of {words}" if ", " in words else f"expected {words}"
