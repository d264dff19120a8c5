"""A line of text."""

from workflows.builder.forms.control import Control


class Text(Control):
    key = "text"
    template = "text.html"
