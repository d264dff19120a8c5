"""A time of day: 09:00."""

from __future__ import annotations

import re
from typing import Any

from workflows.builder.forms.control import Control, nothing
from workflows.definition.strict import CLOCK


class Clock(Control):
    key = "clock"
    template = "clock.html"
    stand_in = "text"

    def fits(self, value: Any) -> bool:
        return nothing(value) or (isinstance(value, str) and re.fullmatch(CLOCK, value) is not None)
