"""A lifecycle stage, as this installation calls it."""

from __future__ import annotations

from collections.abc import Sequence

from scoring.lifecycle import stages
from workflows.builder.forms.control import Field
from workflows.builder.forms.picker import Option, Picker


class Stage(Picker):
    key = "stage"
    what = "stage"

    def options(self, field: Field) -> Sequence[Option]:
        return [Option(key, label) for key, label in stages.labels().items()]
