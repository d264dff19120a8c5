"""HTML that somebody wrote into a block, made fit to stand inside MJML: well-formed, and nothing that mail programs
drop or that would end the block around it. Pure."""

from __future__ import annotations

import re
from html import escape
from html.parser import HTMLParser

from delivery.authoring.blocks.words import TAG

_VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
)
_REFUSED = frozenset(
    {"script", "iframe", "object", "embed", "applet", "form", "base", "html", "head", "body", "plaintext"}
)
_MOUSTACHE = re.compile(
    rf"{TAG.pattern}|\{{\{{\{{\s*[\w.\-]{{1,200}}\s*\}}\}}\}}|\{{\{{\s*&\s*[\w.\-]{{1,200}}\s*\}}\}}"
)
_ADDRESSES = frozenset({"href", "src", "action", "background", "poster", "xlink:href"})
_NAME = re.compile(r"[a-z][a-z0-9\-]*\Z")
_ATTRIBUTE = re.compile(r"[a-zA-Z_:][\w:.\-]*\Z")
_DEEPEST = 60


class Untidy(ValueError):
    """The HTML cannot stand in a mail; the message says what and at which line."""


def tidy(html: str) -> str:
    """The same HTML, every element closed and every attribute quoted. Raises Untidy."""
    reader = _Reader()
    try:
        reader.feed(html)
        reader.close()
    except AssertionError as error:  # what HTMLParser says of a broken declaration
        raise Untidy("holds a declaration that is not closed") from error
    if reader.open:
        name, line = reader.open[-1]
        raise Untidy(f"line {line}: <{name}> is not closed")
    return "".join(reader.parts)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.open: list[tuple[str, int]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._begin(tag, attrs)
        if tag not in _VOID:
            self.open.append((tag, self.getpos()[0]))
            if len(self.open) > _DEEPEST:
                self._refuse(f"elements are nested deeper than {_DEEPEST}")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._begin(tag, attrs)
        if tag not in _VOID:
            self.parts.append(f"</{tag}>")

    def handle_endtag(self, tag: str) -> None:
        if tag in _VOID:
            return
        if not self.open or self.open[-1][0] != tag:
            self._refuse(f"</{tag}> closes nothing that is open")
        self.open.pop()
        self.parts.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1][0] == "style":
            if "<" in data:
                self._refuse("a style holds <")
            self.parts.append(data)
        else:
            self.parts.append(_escaped(data))

    def handle_comment(self, data: str) -> None:
        """Left out: no reader sees it."""

    def handle_decl(self, decl: str) -> None:
        self._refuse("a document type belongs to a whole document, this is a piece of one")

    def unknown_decl(self, data: str) -> None:
        self._refuse("a declaration stands in the text")

    def handle_pi(self, data: str) -> None:
        self._refuse("a processing instruction stands in the text")

    def _begin(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _REFUSED or tag.startswith("mj") or not _NAME.match(tag):
            self._refuse(f"<{tag[:40]}> has no place in a mail")
        written = []
        for name, value in attrs:
            if name.startswith("on") or not _ATTRIBUTE.match(name):
                self._refuse(f"the attribute {name[:40]} of <{tag}> has no place in a mail")
            if name in _ADDRESSES and re.match(r"[\s\x00-\x20]*(?:javascript|vbscript|data)\s*:", value or "", re.I):
                self._refuse(f"the {name} of <{tag}> leads to a script")
            written.append(f' {name}="{_escaped(value or "", quote=True)}"')
        self.parts.append(f"<{tag}{''.join(written)}{' /' if tag in _VOID else ''}>")

    def _refuse(self, words: str) -> None:
        raise Untidy(f"line {self.getpos()[0]}: {words}")


def _escaped(text: str, *, quote: bool = False) -> str:
    pieces, end = [], 0
    for found in _MOUSTACHE.finditer(text):
        pieces += [escape(text[end : found.start()], quote=quote), found.group()]
        end = found.end()
    return "".join([*pieces, escape(text[end:], quote=quote)])
