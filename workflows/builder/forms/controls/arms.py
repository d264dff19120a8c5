"""The paths of a branch, each with its name and its condition. A path is known by its key; its name is the key in
words. A key stays until its name is written anew, and what follows on the path goes with it (`renamed`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.http import QueryDict

from workflows.builder.forms.control import ABSENT, Control, Field, nothing
from workflows.builder.forms.controls.condition import Condition
from workflows.builder.forms.names import fits_key, key_of, name_of
from workflows.builder.forms.rows import NEW, Row, sent
from workflows.definition.shown import Shown


class Arms(Control):
    key = "arms"
    template = "arms.html"
    frame = "group"
    shows_inside = True

    def fits(self, value: Any) -> bool:
        return nothing(value) or (isinstance(value, list) and all(_is_arm(each) for each in value))

    def context(self, field: Field) -> Mapping[str, Any]:
        arms = [] if nothing(field.value) else field.value
        return {
            "rows": [_row(field, str(number), arm) for number, arm in enumerate(arms)],
            "new": _row(field, NEW, {}),
        }

    def read(self, data: QueryDict, name: str) -> Any:
        keys = keys_sent(data, name)
        arms = []
        for key, row in zip(keys, sent(data, name, "key"), strict=True):
            condition = _CONDITION.read(_one(row.get("if", "")), "if")
            arms.append({"key": key} if condition is ABSENT else {"key": key, "if": condition})
        return arms or ABSENT


def keys_sent(data: QueryDict, name: str) -> list[str]:
    """The key of each row that was sent: its own while its name says it, else one made of the new name. Rows that are
    not named are numbered."""
    rows = sent(data, name, "key")
    taken = {row["key"] for row in rows}
    keys = []
    for number, row in enumerate(rows, start=1):
        key, written = row["key"], row.get("name", "").strip()
        if key and written in ("", name_of(key)):
            keys.append(key)
            continue
        made = key_of(written) if written else next(each for each in _numbered(number) if each not in taken)
        taken.add(made)
        keys.append(made)
    return keys


def renamed(data: QueryDict, name: str) -> dict[str, str]:
    """Key before -> key now, of the rows whose names were written anew."""
    before = [row["key"] for row in sent(data, name, "key")]
    return {was: now for was, now in zip(before, keys_sent(data, name), strict=True) if was and was != now}


def _numbered(first: int) -> Sequence[str]:
    return [f"path_{number}" for number in range(first, first + 100)]


def _is_arm(value: Any) -> bool:
    if not isinstance(value, dict) or not {"key"} <= set(value) <= {"key", "if"} or not fits_key(value["key"]):
        return False
    return "if" not in value or (isinstance(value["if"], dict) and bool(value["if"]))


def _row(field: Field, token: str, arm: Mapping[str, Any]) -> Row:
    condition = Field(
        name=f"{field.name}.{token}.if",
        shown=Shown("If", control="condition", scope=field.shown.scope),
        control=_CONDITION,
        value=arm.get("if", {"all": []} if token == NEW else ABSENT),
        required=True,
        wrong=field.wrong_at(f"{token}.if"),
    )
    key = arm.get("key", "")
    wrong = {"key": field.wrong_at(f"{token}.key"), "row": field.inside.get(token, ())}
    return Row(token, {"key": key, "name": name_of(key), "condition": condition}, wrong)


def _one(text: str) -> QueryDict:
    found = QueryDict(mutable=True)
    found["if"] = text
    return found


_CONDITION = Condition()
