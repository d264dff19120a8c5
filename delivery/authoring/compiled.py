"""Mustache compiled: a template's tokens become bodies of fixed pieces with holes, and filling one is a walk over its
holes. No text of a template ever becomes Python.

Values are plain JSON data: a name finds a member of an object, or by its number an item of a list or a character of a
text, and nothing else; objects of any other kind have no members. What one text may hold, and how much work it may be,
is bounded, so a section over a long list within a section over a long list ends with words, not with the process.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

MOST_PIECES = 250_000  # filled for one text, each passing through a section counted
LARGEST = 4_000_000  # characters of one text

EACH, UNLESS, ALWAYS = "each", "unless", "always"

Token = tuple[str, ...]
Name = tuple[str, ...]  # the parts of a dotted name; none: the innermost scope itself
Scopes = tuple[Any, ...]  # what names are looked up in, the innermost first

_NOTHING = object()


class TooMuch(ValueError):
    """Filling the template with this data makes more of it than a mail may hold; the message says what."""


class Holes(NamedTuple):
    """Values of one object, looked up together and each but once, though it may stand in several places.

    `owner`: the name of the object; none: whichever scope has them; None: the innermost scope is the value itself."""

    owner: Name | None
    is_escaped: bool
    names: tuple[str, ...]
    places: tuple[int, ...]  # one for each of the names
    again: tuple[tuple[int, int], ...]  # further places, and the position of the name that belongs there


class Section(NamedTuple):
    """`passes`: each (for each item, or once for what is there) · unless (once where there is nothing) · always."""

    name: Name
    passes: str
    place: int
    body: Body


@dataclass(frozen=True, slots=True)
class Body:
    """`pieces` in their order: fixed text, and empty ones where something is filled in. `fixed`: characters."""

    pieces: list[str]
    holes: tuple[Holes, ...]
    sections: tuple[Section, ...]
    fixed: int
    work: int


@dataclass(slots=True)
class _Draft:
    """A body while its tokens are being read. `passes` empty: it will be left out."""

    name: Name = ()
    passes: str = ""
    pieces: list[str] = field(default_factory=list)
    holes: dict[tuple[Name | None, bool], dict[str, list[int]]] = field(default_factory=dict)
    sections: list[Section] = field(default_factory=list)

    def place(self) -> int:
        self.pieces.append("")
        return len(self.pieces) - 1

    def dig(self, name: Name, *, is_escaped: bool) -> None:
        owner, last = (name[:-1], name[-1]) if name else (None, "")
        self.holes.setdefault((owner, is_escaped), {}).setdefault(last, []).append(self.place())

    def body(self) -> Body:
        holes = tuple(_holes(owner, is_escaped, named) for (owner, is_escaped), named in self.holes.items())
        work = 1 + len(self.sections) + sum(len(each.names) for each in holes)
        return Body(self.pieces, holes, tuple(self.sections), sum(map(len, self.pieces)), work)


def _holes(owner: Name | None, is_escaped: bool, named: Mapping[str, list[int]]) -> Holes:
    again = tuple((place, position) for position, places in enumerate(named.values()) for place in places[1:])
    return Holes(owner, is_escaped, tuple(named), tuple(places[0] for places in named.values()), again)


def is_exact(tokens: Iterable[Token]) -> bool:
    """Whether `fill` gives what Mustache says. Inheritance, which is optional in Mustache, is beyond it: there it gives
    a text of about the same length for about the same work."""
    return all(tag not in {"parent", "block"} for tag, *_ in tokens)


def compiled(tokens: Iterable[Token], *, hidden: str) -> Body:
    """The body of a whole template. In `tokens` whatever is opened is closed, in order; `hidden` is the name that
    stands for all those that must find nothing."""
    drafts = [_Draft()]
    for tag, key, *_ in tokens:
        draft, is_hidden = drafts[-1], key == hidden
        if tag == "literal":
            draft.pieces.append(key)
        elif tag in {"variable", "no escape"} and not is_hidden:
            draft.dig(_name(key), is_escaped=tag == "variable")
        elif tag == "section":
            drafts.append(_Draft(_name(key), "" if is_hidden else EACH))
        elif tag == "inverted section":
            drafts.append(_Draft(_name(key), ALWAYS if is_hidden else UNLESS))
        elif tag in {"parent", "block"}:
            drafts.append(_Draft(passes=ALWAYS if tag == "block" else ""))
        elif tag == "end":
            inner, outer = drafts.pop(), drafts[-1]
            if inner.passes:
                outer.sections.append(Section(inner.name, inner.passes, outer.place(), inner.body()))
    return drafts[0].body()


def _name(key: str) -> Name:
    return () if key == "." else tuple(key.split("."))


class _Room:
    """What one text may still take."""

    __slots__ = ("characters", "work")

    def __init__(self) -> None:
        self.work, self.characters = MOST_PIECES, LARGEST

    def take(self, characters: int, work: int = 0) -> None:
        self.characters -= characters
        self.work -= work
        if self.work < 0:
            raise TooMuch(f"its sections are passed through too often: more than {MOST_PIECES} pieces to fill")
        if self.characters < 0:
            raise TooMuch(f"it becomes longer than {LARGEST} characters")


def fill(body: Body, data: Any) -> str:
    """The text. Raises TooMuch, and ValueError or RecursionError for a value that cannot be shown."""
    return _fill(body, (data,), _Room())


def _fill(body: Body, scopes: Scopes, room: _Room) -> str:
    room.take(body.fixed, body.work)
    pieces = body.pieces.copy()
    for holes in body.holes:
        texts = _texts(holes, scopes, room)
        room.take(sum(map(len, texts)))
        if holes.is_escaped:
            texts = _escaped(texts)
        for place, text in zip(holes.places, texts, strict=True):
            pieces[place] = text
        room.take(sum([len(texts[position]) for _, position in holes.again]))
        for place, position in holes.again:
            pieces[place] = texts[position]
    for section in body.sections:
        pieces[section.place] = _passed(section, scopes, room)
    return "".join(pieces)


def _texts(holes: Holes, scopes: Scopes, room: _Room) -> list[str]:
    """What stands in the holes, not escaped yet."""
    if holes.owner is None:
        return [str(scopes[0])]
    owner = _found(holes.owner, scopes) if holes.owner else scopes[0]
    if owner.__class__ is dict:
        look = owner.get
        values = [look(name, _NOTHING) for name in holes.names]
    else:
        values = [_member(owner, name) for name in holes.names]
    shown = 0
    for position, value in enumerate(values):
        if value.__class__ is not str:
            if value is _NOTHING and not holes.owner:
                value = _found((holes.names[position],), scopes[1:])  # noqa: PLW2901
            values[position] = text = _shown(value)
            shown += len(text)
            if shown > room.characters:
                room.take(shown)
    return values


def _escaped(texts: list[str]) -> list[str]:
    """The five characters that mean something in HTML, as what they look like; all texts at once, where that can be."""
    whole = "\0".join(texts)
    if not ("&" in whole or "<" in whole or ">" in whole or '"' in whole or "'" in whole):
        return texts
    apart = _in_html(whole).split("\0")
    return apart if len(apart) == len(texts) else [_in_html(text) for text in texts]


def _in_html(text: str) -> str:
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace('"', "&quot;").replace("'", "&#39;")


def _passed(section: Section, scopes: Scopes, room: _Room) -> str:
    if section.passes == ALWAYS:
        return _fill(section.body, scopes, room)
    value = _found(section.name, scopes)
    is_there = value is not _NOTHING and bool(value)
    if section.passes == UNLESS:
        return "" if is_there else _fill(section.body, scopes, room)
    if not is_there:
        return ""
    if isinstance(value, list | tuple):
        return "".join([_fill(section.body, (item, *scopes), room) for item in value])
    return _fill(section.body, (value, *scopes), room)


def _found(name: Name, scopes: Scopes) -> Any:
    """The value of a name; its first part says in which scope."""
    if not name:
        return scopes[0]
    first = name[0]
    for scope in scopes:
        value = scope.get(first, _NOTHING) if scope.__class__ is dict else _member(scope, first)
        if value is not _NOTHING:
            for part in name[1:]:
                value = _member(value, part)
            return value
    return _NOTHING


def _member(value: Any, part: str) -> Any:
    if isinstance(value, dict | Mapping):  # the first is the quicker one to ask for
        return value.get(part, _NOTHING)
    if not isinstance(value, str | list | tuple):
        return _NOTHING
    try:
        return value[int(part)]
    except (ValueError, IndexError):
        return _NOTHING


def _shown(value: Any) -> str:
    """What there is not, and what is empty, shows as nothing, but a number always shows."""
    if value is None or value is _NOTHING:
        return ""
    return str(value) if value or isinstance(value, int | float) else ""
