"""Names with values of several types, one of which is “from the entry event”."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.http import QueryDict

from workflows.builder.forms.control import ABSENT, Control, Field, is_line, nothing
from workflows.builder.forms.controls.json import understood, written
from workflows.builder.forms.controls.number import is_number, number_of
from workflows.builder.forms.rows import NEW, Row, sent
from workflows.builder.operations.change import Refused
from workflows.definition.references import is_reference

KINDS = (
    ("text", "Text"),
    ("number", "Number"),
    ("yes", "Yes"),
    ("no", "No"),
    ("ref", "From the entry event"),
    ("null", "Nothing"),
    ("json", "JSON"),
)
_FIXED: Mapping[str, Any] = {"yes": True, "no": False, "null": None}
_EVENT = "trigger."


class Pairs(Control):
    key = "pairs"
    template = "pairs.html"
    frame = "group"
    shows_inside = True
    kinds: ClassVar[Sequence[tuple[str, str]]] = KINDS
    named: ClassVar[str] = "Name"

    def fits(self, value: Any) -> bool:
        return nothing(value) or (
            isinstance(value, dict)
            and all(name and is_line(name) and self.fits_value(each) for name, each in value.items())
        )

    def fits_value(self, value: Any) -> bool:
        return True

    def suggestions(self) -> Sequence[str]:
        """Names that there are."""
        return ()

    def context(self, field: Field) -> Mapping[str, Any]:
        pairs = {} if nothing(field.value) else field.value
        rows = [_row(field, str(number), name, value) for number, (name, value) in enumerate(pairs.items())]
        claimed = {message for row in rows for message in row.wrong["row"]}
        every = [message for messages in field.inside.values() for message in messages]
        return {
            "rows": rows,
            "new": Row(NEW, {"name": "", "kind": "text", "value": ""}, {"row": ()}),
            "kinds": self.kinds,
            "named": self.named,
            "names": self.suggestions(),
            "unplaced": [message for message in every if message not in claimed],
        }

    def read(self, data: QueryDict, name: str) -> Any:
        found: dict[str, Any] = {}
        for row in sent(data, name, "name"):
            key, kind, text = row["name"].strip(), row.get("kind", "text"), row.get("value", "")
            if not key and not text:
                continue
            if not key:
                raise Refused(f"Say what “{text[:60]}” is the value of.")
            if key in found:
                raise Refused(f"“{key[:60]}” is there twice.")
            found[key] = value_of(kind, text.replace("\r\n", "\n"))
        return found or ABSENT


def value_of(kind: str, text: str) -> Any:
    if kind in _FIXED:
        return _FIXED[kind]
    match kind:
        case "number":
            return number_of(text.strip())
        case "ref":
            return {"ref": _EVENT + text.strip()}
        case "json":
            return understood(text.strip())
        case _:
            return text


def _row(field: Field, token: str, name: str, value: Any) -> Row:
    kind, text = _shown(value)
    wrong = (*field.wrong_at(name), *field.wrong_at(f"attributes.{name}"))
    return Row(token, {"name": name, "kind": kind, "value": text, "place": f"{field.name}.{name}"}, {"row": wrong})


def _shown(value: Any) -> tuple[str, str]:
    """The kind and the text that read as the value again."""
    for kind, fixed in _FIXED.items():
        if value is fixed:
            return kind, ""
    if is_number(value):
        return "number", json.dumps(value)
    if isinstance(value, str) and "\r" not in value and "\0" not in value:
        return "text", value
    if is_reference(value) and is_line(ref := value["ref"]) and ref.startswith(_EVENT) and _is_event_line(ref):
        return "ref", ref.removeprefix(_EVENT)
    return "json", written(value) if not isinstance(value, str) else json.dumps(value)


def _is_event_line(ref: str) -> bool:
    return is_line(ref.removeprefix(_EVENT))
