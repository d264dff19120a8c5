"""The variants of an experiment, each with its weight; its share of the whole is shown beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import QueryDict

from workflows.builder.forms.control import ABSENT, Control, Field, nothing
from workflows.builder.forms.controls.arms import keys_sent
from workflows.builder.forms.controls.number import is_number, number_of
from workflows.builder.forms.names import fits_key, name_of
from workflows.builder.forms.rows import NEW, Row, sent


class Variants(Control):
    key = "variants"
    template = "variants.html"
    frame = "group"
    shows_inside = True

    def fits(self, value: Any) -> bool:
        return nothing(value) or (isinstance(value, list) and all(_is_variant(each) for each in value))

    def context(self, field: Field) -> Mapping[str, Any]:
        variants = [] if nothing(field.value) else field.value
        total = sum(max(0, each["weight"]) for each in variants)
        return {
            "rows": [_row(field, str(number), each, total) for number, each in enumerate(variants)],
            "new": _row(field, NEW, {"key": "", "weight": 0}, 0),
            "total": total,
        }

    def read(self, data: QueryDict, name: str) -> Any:
        rows = zip(keys_sent(data, name), sent(data, name, "key"), strict=True)
        return [{"key": key, "weight": number_of(row.get("weight", "").strip())} for key, row in rows] or ABSENT


def _is_variant(value: Any) -> bool:
    if not isinstance(value, dict) or set(value) != {"key", "weight"}:
        return False
    return fits_key(value["key"]) and is_number(value["weight"])  # also a wrong one: it is told beside its variant


def _row(field: Field, token: str, variant: Mapping[str, Any], total: float) -> Row:
    share = f"{100 * max(0, variant['weight']) / total:,.3g} %" if total else ""
    parts = {**variant, "name": name_of(variant["key"]), "share": share}
    wrong = {"key": field.wrong_at(f"{token}.key"), "weight": field.wrong_at(f"{token}.weight")}
    return Row(token, parts, wrong)
