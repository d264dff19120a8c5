"""A form as a browser sends it that nobody has touched: what the HTML of its fields says, read as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from html.parser import HTMLParser

from django.http import QueryDict
from django.template.loader import render_to_string

from workflows.builder.forms.control import Field


def untouched(fields: Sequence[Field]) -> QueryDict:
    """The names and values of the controls that a browser would send."""
    html = "".join(render_to_string("admin/workflows/builder/field.html", {"field": field}) for field in fields)
    found = _Controls()
    found.feed(html)
    data = QueryDict(mutable=True)
    for name, value in found.sent:
        data[name] = value
    return data


class _Controls(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.sent: list[tuple[str, str]] = []
        self.inert = 0  # inside how many <template>
        self.area: str | None = None
        self.words = ""
        self.select: str | None = None
        self.options: list[tuple[str, bool]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "template":
            self.inert += 1
        if self.inert or "disabled" in given:
            return
        if tag == "option" and self.select is not None:
            self.options.append((given.get("value", ""), "selected" in given))
        if "name" not in given:
            return
        if tag == "textarea":
            self.area, self.words = given["name"], ""
        elif tag == "select":
            self.select, self.options = given["name"], []
        elif tag == "input" and given.get("type") in ("checkbox", "radio"):
            if "checked" in given:
                self.sent.append((given["name"], given.get("value", "on")))
        elif tag == "input" and given.get("type") not in ("submit", "button"):
            self.sent.append((given["name"], given.get("value", "").replace("\n", "").replace("\r", "")))

    def handle_endtag(self, tag: str) -> None:
        if tag == "template":
            self.inert -= 1
        elif tag == "textarea" and self.area is not None:
            text = self.words.replace("\r\n", "\n").replace("\r", "\n").removeprefix("\n")
            self.sent.append((self.area, text.replace("\n", "\r\n")))
            self.area = None
        elif tag == "select" and self.select is not None:
            chosen = [value for value, selected in self.options if selected] or [value for value, _ in self.options[:1]]
            self.sent.extend((self.select, value) for value in chosen[-1:])
            self.select = None

    def handle_data(self, data: str) -> None:
        if self.area is not None:
            self.words += data
