"""The plain text part of a mail that came with HTML only. Pure.

Links show where they lead, lists their numbers, tables of data their rows, images what they show; what is hidden from
readers, such as the line for the list of mails, is left out."""

from __future__ import annotations

import re
from functools import lru_cache

from delivery.authoring import mustache
from delivery.authoring.html_reading import Reader

_SILENT = frozenset({"head", "script", "style", "title", "template"})
_VOID = frozenset(
    {
        *("area", "base", "br", "col", "embed", "hr", "img"),
        *("input", "link", "meta", "source", "track", "wbr"),
    }
)
_BLOCKS = frozenset(
    {
        "address",
        "article",
        "blockquote",
        "div",
        "footer",
        "header",
        "ol",
        "p",
        "pre",
        "section",
        "table",
        "ul",
    }
    | {f"h{level}" for level in range(1, 7)}
)
_HIDDEN = re.compile(r"display\s*:\s*none|mso-hide\s*:\s*all|visibility\s*:\s*hidden", re.IGNORECASE)
_FOLLOWED = ("http://", "https://", "mailto:", "tel:", "{{")
_FILLED_FIRST = re.compile(r"\{\{\s*[{&=>]|<[^<>]*\bstyle\s*=\s*(\"[^\"]*\{\{|'[^']*\{\{)|<\s*/?\s*\{\{", re.IGNORECASE)
_BULLET = re.compile(r"^\n? *(?:-|\d+\.) $")
_REPEATED = re.compile(r"\{\{\s*[#^][^}]*\}\}\s*<(?:li|dt|dd|tr|td|th|tbody|caption)\b", re.IGNORECASE)
RULE = "-" * 20


class _Reader(Reader):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._silent: list[str] = []  # the open elements since one that is not shown
        self._links: list[tuple[str, int]] = []  # where each open link leads, and where its text began
        self._lists: list[int | None] = []  # the next number of each open list; None: it has none
        self._cells = 0  # of the row at hand, so far

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if self._silent:
            if tag not in _VOID:
                self._silent.append(tag)
        elif tag in _SILENT or (tag not in _VOID and _HIDDEN.search(given.get("style") or "")):
            self._silent.append(tag)
        elif tag == "br":
            self.parts.append("\n")
        elif tag == "hr":
            self.parts.append(f"\n\n{RULE}\n\n")
        elif tag == "li":
            begins = "" if self.parts and self.parts[-1].endswith("\n") else "\n"
            self.parts.append(f"{begins}{'  ' * max(len(self._lists) - 1, 0)}{self._bullet()}")
        elif tag == "tr":
            self.parts.append("\n")
            self._cells = 0
        elif tag in ("td", "th"):
            self.parts.append("\t" if self._cells else "")
            self._cells += 1
        elif tag == "a":
            self._links.append((given.get("href") or "", len(self.parts)))
        elif tag == "img" and given.get("alt"):
            self.parts.append(given["alt"] or "")
        if tag in _BLOCKS and not self._silent:
            self._break()
            if tag in ("ol", "ul"):
                start = given.get("start") or "1"
                self._lists.append((int(start) if start.isdecimal() and len(start) < 7 else 1) if tag == "ol" else None)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._silent:
            if tag in self._silent:
                while self._silent.pop() != tag:
                    pass
        elif tag in _BLOCKS:
            if tag in ("ol", "ul") and self._lists:
                self._lists.pop()
            self._break()
        elif tag == "a" and self._links:
            target, began = self._links.pop()
            text = " ".join("".join(self.parts[began:]).split())
            if target.startswith(_FOLLOWED) and re.sub(r"^(mailto|tel):", "", target) != text:
                self.parts.append(f" ({target})" if text else target)

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.parts.append(re.sub(r"\s+", " ", data))

    def _break(self) -> None:
        """A paragraph ends: by an empty line, in a list by the next line; what follows a bullet stays beside it."""
        if not (self.parts and _BULLET.search(self.parts[-1])):
            self.parts.append("\n" if self._lists else "\n\n")

    def _bullet(self) -> str:
        if not self._lists or self._lists[-1] is None:
            return "- "
        number = self._lists[-1]
        self._lists[-1] = number + 1
        return f"{number}. "


def from_html(html: str) -> str:
    """What the HTML says, in lines; links with where they lead."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return tidied("\n".join(_line(line) for line in "".join(reader.parts).split("\n")))


@lru_cache(maxsize=256)
def template_of(html: str) -> str | None:
    """The text part of a template, as a template: read once, and not for every mail. None: it has to be made of each
    filled mail, since what is filled in may be HTML, or decide what an element is, or how the lines of a list count."""
    if _FILLED_FIRST.search(html) or _REPEATED.search(html):
        return None
    text = from_html(html)
    try:
        mustache.render(text, {}, escape=False)
    except mustache.BadMustache:  # a section began in what is shown, and ended in what is not
        return None
    return text


def tidied(text: str) -> str:
    """Without the empty lines that what was left out leaves behind."""
    return re.sub(r"\n\s*\n\s*\n", "\n\n", text).strip()


def _line(line: str) -> str:
    """Cells of a row stand apart; those with nothing in them say nothing."""
    if "\t" in line:
        return "  |  ".join(cell for cell in (" ".join(each.split()) for each in line.split("\t")) if cell)
    indent = re.match(r" *(?=(?:-|\d+\.) )", line)
    return (indent[0] if indent else "") + line.strip()
