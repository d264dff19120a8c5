"""What a step sets of the contact: fields and attributes with their values."""

from __future__ import annotations

from collections.abc import Sequence

from workflows.builder.forms.controls.attribute import seen
from workflows.builder.forms.controls.pairs import Pairs

_FIELDS = ("timezone", "locale", "region", "owner_email", "frequency_cap")


class ContactFields(Pairs):
    key = "contact_fields"
    named = "Field or attribute"

    def suggestions(self) -> Sequence[str]:
        return list(dict.fromkeys([*_FIELDS, *(name for name, _ in seen() if "." not in name)]))
