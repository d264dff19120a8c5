"""A mail's HTML as a list of what checks ask about: images, links, words, and what is nested wrongly. Pure.

Mustache tags are put away first, so what stands in sections is looked at as well."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from delivery.authoring import tags
from delivery.authoring.html_reading import Reader

_VOID = frozenset(
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"]
)
# Elements whose end may be left out, and what begins instead of it.
_CLOSED_BY: Mapping[str, frozenset[str]] = {
    "p": frozenset(
        {
            *("address", "blockquote", "div", "dl", "fieldset", "footer", "form", "h1", "h2", "h3", "h4"),
            *("h5", "h6", "header", "hr", "ol", "p", "pre", "table", "ul"),
        }
    ),
    "li": frozenset({"li"}),
    "dt": frozenset({"dt", "dd"}),
    "dd": frozenset({"dt", "dd"}),
    "td": frozenset({"td", "th", "tr", "tbody", "tfoot"}),
    "th": frozenset({"td", "th", "tr", "tbody", "tfoot"}),
    "tr": frozenset({"tr", "tbody", "tfoot"}),
    "thead": frozenset({"tbody", "tfoot"}),
    "tbody": frozenset({"tbody", "tfoot"}),
    "tfoot": frozenset(),
    "option": frozenset({"option"}),
    "body": frozenset(),
    "html": frozenset(),
    "head": frozenset({"body"}),
    "colgroup": frozenset({"tr", "tbody", "thead"}),
}
_NOT_WITHIN = {"a": "a", "button": "button", "form": "form"}
_ONLY_IN: Mapping[str, frozenset[str]] = {
    "tr": frozenset({"table", "tbody", "thead", "tfoot"}),
    "td": frozenset({"tr"}),
    "th": frozenset({"tr"}),
    "li": frozenset({"ul", "ol", "menu"}),
}
_HIDDEN = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|mso-hide\s*:\s*all|opacity\s*:\s*0(?:\.0+)?\s*(?:;|$)"
    r"|max-height\s*:\s*0(?:px)?\s*(?:;|$)",
    re.IGNORECASE,
)
_FONT = re.compile(r"font-size\s*:", re.IGNORECASE)
_SMALL = re.compile(r"font-size\s*:\s*[01](?:px|pt|em|%)?\s*(?:;|$)", re.IGNORECASE)


@dataclass(frozen=True)
class Image:
    line: int
    src: str
    alt: str | None
    width: str
    height: str


@dataclass
class Link:
    line: int
    href: str
    is_hidden: bool
    words: str = ""
    has_image: bool = False


@dataclass(frozen=True)
class Wrong:
    """A fault of the nesting."""

    line: int
    said: str


@dataclass
class Markup:
    """`words`: what is read, hidden parts left out. `sheets`: the style sheets that stay in the mail."""

    images: list[Image] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    wrong: list[Wrong] = field(default_factory=list)
    words: str = ""
    sheets: str = ""
    has_color_scheme: bool = False


def read(html: str) -> Markup:
    """Of any text; never raises."""
    guarded = tags.guarded(html)
    reader = _Reader()
    reader.feed(guarded.text)
    reader.close()
    reader.finish()

    def whole(text: str) -> str:
        return guarded.restored(text, must_be_there=False)

    found = reader.found
    found.images = [
        Image(each.line, whole(each.src), None if each.alt is None else whole(each.alt), each.width, each.height)
        for each in found.images
    ]
    for link in found.links:
        link.href, link.words = whole(link.href), " ".join(whole(link.words).split())
    found.words = " ".join(re.sub(rf"(?:<!--)?{guarded.stem}\d+z(?:-->)?", " x ", found.words).split())
    found.has_color_scheme = found.has_color_scheme or "color-scheme" in found.sheets
    return found


def hides_all(html: str, name: str) -> bool:
    """Whether links to the variable `name` are there, and nobody can see any of them."""
    if name not in html:
        return False
    links = [link for link in read(html).links if re.search(rf"\{{\{{\s*[{{&]?\s*{re.escape(name)}\b", link.href)]
    return bool(links) and all(link.is_hidden for link in links)


class _Reader(Reader):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found = Markup()
        self._open: list[tuple[str, int, bool, bool]] = []  # name, line, hidden, in text too small to read
        self._link: Link | None = None
        self._words: list[str] = []
        self._told: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in reversed(attrs)}
        line = self.getpos()[0]
        self._close_before(tag)
        self._judge(tag, line)
        style = given.get("style", "")
        hidden, small = (self._open[-1][2], self._open[-1][3]) if self._open else (False, False)
        hidden = hidden or "hidden" in given or bool(_HIDDEN.search(style))
        small = bool(_SMALL.search(style)) if _FONT.search(style) else small
        if tag == "img":
            size = given.get("width", ""), given.get("height", "")
            image = Image(line, given.get("src", ""), given.get("alt"), *size)
            self.found.images.append(image)
            if self._link:
                self._link.has_image = True
                self._link.words += f" {image.alt or ''}"
        elif tag == "a" and "href" in given:
            self._link = Link(line, given["href"].strip(), hidden or small)
            self.found.links.append(self._link)
        elif tag == "meta" and given.get("name", "").lower() in ("color-scheme", "supported-color-schemes"):
            self.found.has_color_scheme = True
        if self._link and tag != "a" and _FONT.search(style) and not small and not hidden:
            self._link.is_hidden = False  # its words are larger than what is around them
        if tag not in _VOID:
            self._open.append((tag, line, hidden, small))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID and self._open:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag in _VOID:
            return
        if all(name != tag for name, *_ in self._open):
            if tag not in _CLOSED_BY:
                self._tell(self.getpos()[0], f"</{tag}> closes nothing")
            return
        while True:
            name, line, *_ = self._open.pop()
            if name == "a":
                self._link = None
            if name == tag:
                return
            if name not in _CLOSED_BY:
                self._tell(line, f"<{name}> is still open where </{tag}> stands")

    def handle_data(self, data: str) -> None:
        name = self._open[-1][0] if self._open else ""
        if name == "style":
            self.found.sheets += data
        elif name not in ("script", "title") and not (self._open and self._open[-1][2]):
            self._words.append(data)
            if self._link:
                self._link.words += data

    def handle_comment(self, data: str) -> None:
        """A Mustache tag, or words for one mail program."""
        if self._link and re.fullmatch(r"zmq+\d+z", data):
            self._link.words += f"<!--{data}-->"
        if re.fullmatch(r"zmq+\d+z", data):
            self._words.append(" x ")

    def finish(self) -> None:
        for name, line, *_ in self._open:
            if name not in _CLOSED_BY:
                self._tell(line, f"<{name}> is never closed")
        self.found.words = "".join(self._words)

    def _close_before(self, tag: str) -> None:
        while self._open and tag in _CLOSED_BY.get(self._open[-1][0], frozenset()):
            self._open.pop()

    def _judge(self, tag: str, line: int) -> None:
        names = [name for name, *_ in self._open]
        if _NOT_WITHIN.get(tag) in names:
            self._tell(line, f"<{tag}> stands within <{tag}>")
        if tag in _ONLY_IN and (not names or names[-1] not in _ONLY_IN[tag]):
            self._tell(line, f"<{tag}> stands outside of {_either(_ONLY_IN[tag])}")

    def _tell(self, line: int, said: str) -> None:
        if said not in self._told:
            self._told.add(said)
            self.found.wrong.append(Wrong(line, said))


def _either(names: frozenset[str]) -> str:
    return " or ".join(f"<{name}>" for name in sorted(names))
