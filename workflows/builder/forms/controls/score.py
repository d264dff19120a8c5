"""One of the scores."""

from __future__ import annotations

from collections.abc import Sequence

from scoring.rulesets import reading
from scoring.rulesets.rules import LEAD
from workflows.builder.forms.control import Field
from workflows.builder.forms.picker import Option, Picker


class Score(Picker):
    key = "score"
    what = "score"

    def options(self, field: Field) -> Sequence[Option]:
        names = dict.fromkeys((LEAD, *reading.names()))
        return [Option(name, "The lead score" if name == LEAD else name) for name in names]
