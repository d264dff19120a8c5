"""The table of operators: which types each may be asked of, what value it takes, and its SQL. Pure.

Every negative operator is the exact negation of a positive one, so there is one SQL template for both. A template may
give NULL for a missing field or a value of another type; the compiler takes NULL for false before it negates.
`{x}` is the field; `{v}` the value, of the field's type; windows have `{since}` and `{now}` instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

_ANY_TYPE = ("text", "number", "boolean", "instant", "json")
_TEXT_OF_X, _TEXT_OF_V = "lower({x} #>> '{}')", "lower({v} #>> '{}')"
_BOTH_TEXT = "jsonb_typeof({x}) = 'string' AND jsonb_typeof({v}) = 'string'"

# strpos, starts_with and right instead of LIKE: a value has no wildcards, so there is nothing to escape.
_CONTAINS = "strpos(lower({x}), lower({v})) > 0"
_STARTS = "starts_with(lower({x}), lower({v}))"
_ENDS = "right(lower({x}), length(lower({v}))) = lower({v})"

# A list contains an item that equals the value; of two texts, whatever their case.
_CONTAINS_JSON = (
    "CASE WHEN jsonb_typeof({x}) = 'array' THEN EXISTS (SELECT FROM jsonb_array_elements({x}) AS item(value) "
    "WHERE item.value = {v} OR (jsonb_typeof(item.value) = 'string' AND jsonb_typeof({v}) = 'string' "
    f"AND lower(item.value #>> '{{}}') = {_TEXT_OF_V})) "
    f"WHEN {_BOTH_TEXT} THEN strpos({_TEXT_OF_X}, {_TEXT_OF_V}) > 0 END"
)
_STARTS_JSON = f"CASE WHEN {_BOTH_TEXT} THEN starts_with({_TEXT_OF_X}, {_TEXT_OF_V}) END"
_ENDS_JSON = f"CASE WHEN {_BOTH_TEXT} THEN right({_TEXT_OF_X}, length({_TEXT_OF_V})) = {_TEXT_OF_V} END"


@dataclass(frozen=True)
class Operator:
    """`takes` is the kind of value: scalar, order, member, text, instant, list, window or nothing (see `values`).

    `may_refer` is true where the value may be a {"ref": …}: everything of one value that is known when it runs.
    """

    name: str
    takes: str
    words: str
    sql: Mapping[str, str]  # type of the field -> template
    negated: bool = False
    instant_words: str = field(default="")

    @property
    def may_refer(self) -> bool:
        return self.takes in ("scalar", "order", "member", "text", "instant")


def _order(sign: str) -> dict[str, str]:
    """Numbers with numbers and instants with instants; jsonb compares two numbers as numerics, exactly."""
    return {
        "number": f"{{x}} {sign} {{v}}",
        "instant": f"{{x}} {sign} {{v}}",
        "json": (
            f"CASE jsonb_typeof({{v}}) WHEN 'number' THEN jsonb_typeof({{x}}) = 'number' AND {{x}} {sign} {{v}} "
            f"WHEN 'string' THEN instant_of({{x}}) {sign} instant_of({{v}}) END"
        ),
    }


def _moment(sign: str) -> dict[str, str]:
    return {"instant": f"{{x}} {sign} {{v}}", "json": f"instant_of({{x}}) {sign} instant_of({{v}})"}


_POSITIVE = (
    Operator("eq", "scalar", "is", dict.fromkeys(_ANY_TYPE, "{x} = {v}")),
    Operator("in", "list", "is one of", dict.fromkeys(_ANY_TYPE, "{x} = ANY({v})")),
    Operator("gt", "order", "is greater than", _order(">"), instant_words="is after"),
    Operator("gte", "order", "is at least", _order(">="), instant_words="is at or after"),
    Operator("lt", "order", "is less than", _order("<"), instant_words="is before"),
    Operator("lte", "order", "is at most", _order("<="), instant_words="is at or before"),
    Operator("contains", "member", "contains", {"text": _CONTAINS, "json": _CONTAINS_JSON}),
    Operator("starts_with", "text", "starts with", {"text": _STARTS, "json": _STARTS_JSON}),
    Operator("ends_with", "text", "ends with", {"text": _ENDS, "json": _ENDS_JSON}),
    Operator(
        "exists",
        "nothing",
        "is known",
        {
            "text": "{x} <> ''",
            "number": "{x} IS NOT NULL",
            "boolean": "{x} IS NOT NULL",
            "instant": "{x} IS NOT NULL",
            "json": "jsonb_typeof({x}) <> 'null'",
        },
    ),
    Operator("before", "instant", "is before", _moment("<")),
    Operator("after", "instant", "is after", _moment(">")),
    Operator(
        "within_last",
        "window",
        "is within the last",
        {"instant": "{x} > {since} AND {x} <= {now}", "json": "instant_of({x}) <@ tstzrange({since}, {now}, '(]')"},
    ),
)
_BY_NAME = {operator.name: operator for operator in _POSITIVE}
_NEGATIVE = (
    replace(_BY_NAME["eq"], name="ne", words="is not", negated=True),
    replace(_BY_NAME["in"], name="not_in", words="is none of", negated=True),
    replace(_BY_NAME["contains"], name="not_contains", words="does not contain", negated=True),
    replace(_BY_NAME["exists"], name="not_exists", words="is not known", negated=True),
    replace(_BY_NAME["within_last"], name="not_within_last", words="is not within the last", negated=True),
)

OPERATORS: dict[str, Operator] = {operator.name: operator for operator in (*_POSITIVE, *_NEGATIVE)}
COUNT_OPERATORS = ("eq", "ne", "gt", "gte", "lt", "lte")
