"""A text of several lines, which may name what is known of the contact."""

from __future__ import annotations

import re
from typing import Any

from django.http import QueryDict

from workflows.builder.forms.control import ABSENT, Control, nothing


class Message(Control):
    key = "message"
    template = "message.html"

    def fits(self, value: Any) -> bool:
        return nothing(value) or (isinstance(value, str) and not re.search(r"[\r\0]", value))

    def read(self, data: QueryDict, name: str) -> Any:
        """As it was written: browsers send every new line as two characters."""
        return data.get(name, "").replace("\r\n", "\n") or ABSENT
