"""Mustache tags where they stand in a text, without reading what is between them; and how they are kept whole while
something that knows no Mustache works on the text. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

VARIABLES = frozenset({"variable", "raw"})
_KINDS = {"#": "section", "^": "inverted", "/": "end", ">": "partial", "!": "comment", "&": "raw", "=": "delimiters"}
_INHERITANCE = {"<": "parent", "$": "block"}
MOST = 20_000  # tags of one text
# What markup has that is not the text between its elements: comments, elements whose content is no markup, tags.
_ISLANDS = re.compile(
    r"<!--.*?-->|<(?P<raw>style|script|title|textarea|mj-title|mj-preview|mj-style)\b[^>]*>.*?</(?P=raw)\s*>"
    r"|<[a-zA-Z/!?](?:[^<>\"']|\"[^\"]*\"|'[^']*')*>",
    re.DOTALL | re.IGNORECASE,
)
_VALUES = re.compile(r"=\s*(?:\"[^\"]*\"|'[^']*'|[^\s\"'>]+)")


@dataclass(frozen=True)
class Tag:
    """`kind`: variable · raw · section · inverted · end · partial · comment · delimiters · parent · block."""

    kind: str
    name: str
    start: int
    end: int


def scan(text: str) -> list[Tag]:
    """The tags in their order. What is never closed is none: whoever reads the text as Mustache refuses it."""
    found: list[Tag] = []
    opening, closing, at = "{{", "}}", 0
    while len(found) < MOST and (start := text.find(opening, at)) >= 0:
        inside = start + len(opening)
        if text.startswith("{", inside) and opening == "{{":
            kind, close, inside = "raw", "}" + closing, inside + 1
        else:
            sigil = text[inside : inside + 1]
            kind = _KINDS.get(sigil) or _INHERITANCE.get(sigil) or "variable"
            close = "=" + closing if kind == "delimiters" else closing
            inside += kind != "variable"
        stop = text.find(close, inside)
        if stop < 0:
            break
        at = stop + len(close)
        name = text[inside:stop].strip()
        found.append(Tag(kind, name, start, at))
        if kind == "delimiters" and len(pair := name.split()) == 2:
            opening, closing = pair
    return found


def line(text: str, at: int) -> int:
    """The number of the line, from 1, that a place is in."""
    return text.count("\n", 0, at) + 1


def names(text: str) -> Iterator[tuple[str, tuple[Tag, ...], Tag]]:
    """Every variable with the sections around it, the outermost first: (name, sections, tag). The name `.` stands for
    the section's own value."""
    around: list[Tag] = []
    for tag in scan(text):
        if tag.kind in ("section", "inverted", "parent", "block"):
            around.append(tag)
        elif tag.kind == "end" and around:
            around.pop()
        elif tag.kind in VARIABLES:
            yield tag.name, tuple(around), tag


class Lost(ValueError):
    """A tag that did not survive; `tag` is as it was written, `at` where it stood."""

    def __init__(self, tag: str, at: int) -> None:
        super().__init__(tag)
        self.tag, self.at = tag, at


@dataclass(frozen=True)
class Guarded:
    """`text` without Mustache: a comment stands for each tag between elements, a word for each of the others."""

    text: str
    written: Sequence[str]
    places: Sequence[int]  # where each stood in the original
    stem: str
    loose: int | None  # the first tag inside of an element's tag, but in none of its attributes' values

    def restored(self, text: str, *, must_be_there: bool = True) -> str:
        """`text`, which was made of ours, with its tags. Raises Lost if one is missing."""
        seen: set[int] = set()

        def tag(found: re.Match[str]) -> str:
            number = int(found["comment"] or found["word"])
            seen.add(number)
            return self.written[number]

        stem = re.escape(self.stem)
        pattern = rf"<!--{stem}(?P<comment>\d+)z-->|{stem}(?P<word>\d+)z"
        whole = re.sub(pattern, tag, text, flags=re.IGNORECASE)
        if must_be_there:
            for number, (written, place) in enumerate(zip(self.written, self.places, strict=True)):
                if number not in seen:
                    raise Lost(written, place)
        return whole


def guarded(text: str) -> Guarded:
    """The text with its tags put away."""
    stem = "zmq"
    while stem in text.lower():
        stem += "q"
    tags = [tag for tag in scan(text)]
    pieces, at = [], 0
    for number, tag in enumerate(tags):
        pieces += [text[at : tag.start], f"{stem}{number}z"]
        at = tag.end
    plain = "".join([*pieces, text[at:]])
    word = re.compile(rf"{stem}(\d+)z")
    out, at, loose = [], 0, None
    for island in _ISLANDS.finditer(plain):
        out += [word.sub(r"<!--\g<0>-->", plain[at : island.start()]), island[0]]
        at = island.end()
        if loose is None and island["raw"] is None and not island[0].startswith("<!--"):
            found = word.search(_VALUES.sub("=", island[0]))
            loose = tags[int(found[1])].start if found else None
    out.append(word.sub(r"<!--\g<0>-->", plain[at:]))
    written = [text[tag.start : tag.end] for tag in tags]
    return Guarded("".join(out), written, [tag.start for tag in tags], stem, loose)
