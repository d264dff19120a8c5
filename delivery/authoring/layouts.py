"""Layouts around messages and partials within them: resolved in the text when a message is saved, not when it is sent.

A layout holds `{{{body}}}`, where the message comes; a partial stands where `{{> slug}}` names it. Both are templates
of their own kind, and what a message was made of is remembered with it (`source.uses`)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from contacts.faults import Fault
from delivery.authoring import locales, tags
from delivery.models import Template

DEEPEST = 16
LARGEST = 1_000_000  # characters of a text with all that it names
SLOT = "body"
_DOCUMENT = re.compile(
    r"<(?P<name>body|mj-body)\b(?:[^<>\"']|\"[^\"]*\"|'[^']*')*>(?P<inside>.*)</(?P=name)\s*>",
    re.DOTALL | re.IGNORECASE,
)
_HEAD = re.compile(r"<(?P<name>head|mj-head)\b[^>]*>(?P<inside>.*?)</(?P=name)\s*>", re.DOTALL | re.IGNORECASE)
_HEAD_ENDS = re.compile(r"</(?:mj-)?head\s*>", re.IGNORECASE)
_BODY_OPENS = re.compile(r"<(?:mj-)?body\b", re.IGNORECASE)
_HTML_STYLES = re.compile(r"<style\b.*?</style\s*>", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True)
class Piece:
    """The live version of a layout or a partial, as it was written. `bodies` and `texts` by locale; "" is the default
    one. `markup`: html or mjml."""

    slug: str
    kind: str
    number: int
    markup: str
    bodies: Mapping[str, str]
    texts: Mapping[str, str]

    def body(self, locale: str) -> str:
        return self.bodies[locales.pick(locale, self.bodies.keys() - {""})]

    def text(self, locale: str) -> str:
        return self.texts[locales.pick(locale, self.texts.keys() - {""})]


Shelf = Mapping[str, Piece]
Uses = dict[str, int]  # what went into a text: slug -> number of the version


class Unresolved(ValueError):
    """`fault` says what cannot be put together."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.msg)
        self.fault = fault


def shelf(slugs: Iterable[str]) -> dict[str, Piece]:
    """The live layouts and partials of these slugs, and those that they name themselves. A few statements."""
    found: dict[str, Piece] = {}
    wanted = set(slugs)
    asked: set[str] = set()
    for _ in range(DEEPEST):
        wanted -= asked
        if not wanted:
            break
        asked |= wanted
        rows = Template.objects.filter(slug__in=wanted, live_version__isnull=False).exclude(kind="message")
        fresh = [piece_of(row) for row in rows.select_related("live_version")]
        found |= {piece.slug: piece for piece in fresh}
        wanted = set().union(*(_named(piece) for piece in fresh))
    return found


def piece_of(template: Template) -> Piece:
    version = template.live_version
    assert version is not None
    bodies = {"": str(version.source.get("body") or version.html)}
    texts = {"": version.text}
    for locale, words in version.locales.items():
        bodies[locale] = str((words.get("source") or {}).get("body") or words.get("html") or bodies[""])
        texts[locale] = words.get("text") or version.text
    markup = version.source.get("kind") or "html"
    return Piece(template.slug, template.kind, version.number, markup, bodies, texts)


def _named(piece: Piece) -> set[str]:
    return {name for text in (*piece.bodies.values(), *piece.texts.values()) for name in partials_in(text)}


def partials_in(text: str) -> set[str]:
    """The slugs that a text names."""
    return {tag.name for tag in tags.scan(text) if tag.kind == "partial"} if "{{" in text else set()


def filled(text: str, shelf: Shelf, *, locale: str, uses: Uses, part: str = "html", path: Sequence[str] = ()) -> str:
    """The text with its partials in it. `part`: html, or text, which takes the plain words of a partial.

    Raises Unresolved."""
    if "{{" not in text:
        return text
    pieces: list[str] = []
    at = size = 0
    for tag in tags.scan(text):
        if tag.kind != "partial":
            continue
        piece = _piece(tag.name, "partial", shelf, path, f" (line {tags.line(text, tag.start)})")
        uses[piece.slug] = piece.number
        said = piece.text(locale) if part == "text" else piece.body(locale)
        inside = filled(said, shelf, locale=locale, uses=uses, part=part, path=[*path, piece.slug])
        size += len(inside)
        if size > LARGEST:
            raise Unresolved(Fault("too_large", f"the text with its partials is longer than {LARGEST} characters"))
        pieces += [text[at : tag.start], inside]
        at = tag.end
    return "".join([*pieces, text[at:]])


def around(body: str, layout: str, shelf: Shelf, *, markup: str, locale: str, uses: Uses) -> str:
    """The layout with the message in its slot. Of a message that is a whole document its body goes in, and what its
    head says of styles goes to the layout's. Raises Unresolved."""
    piece = _piece(layout, "layout", shelf, (), "")
    uses[layout] = piece.number
    if piece.markup != markup:
        wrong = f"the layout {layout!r} is {_words(piece.markup)}, and the message is {_words(markup)}"
        raise Unresolved(Fault("layout_of_another_kind", wrong))
    frame = filled(piece.body(locale), shelf, locale=locale, uses=uses, path=[layout])
    slots = [tag for tag in tags.scan(frame) if is_slot(tag)]
    if len(slots) != 1:
        raise Unresolved(Fault("no_slot", f"the layout {layout!r} has not one place for the message: {{{{{{body}}}}}}"))
    inside, styles = _parts(body)
    whole = frame[: slots[0].start] + inside + frame[slots[0].end :]
    return _with_styles(whole, styles, markup) if styles else whole


def is_slot(tag: tags.Tag) -> bool:
    return tag.kind == "raw" and tag.name == SLOT


def _piece(slug: str, kind: str, shelf: Shelf, path: Collection[str], place: str) -> Piece:
    piece = shelf.get(slug)
    if slug in path:
        way = " → ".join([*path, slug])
        raise Unresolved(Fault("circle", f"{slug!r} names itself: {way}{place}"))
    if piece is None or piece.kind != kind:
        raise Unresolved(Fault(f"no_{kind}", f"there is no {kind} {slug!r}{place}"))
    if len(path) >= DEEPEST:
        raise Unresolved(Fault("too_deep", f"partials are nested deeper than {DEEPEST}{place}"))
    return piece


def _parts(body: str) -> tuple[str, str]:
    """What goes into the slot, and what goes into the head."""
    document = _DOCUMENT.search(body)
    if document is None:
        return body, ""
    head = _HEAD.search(body, 0, document.start())
    if head is None:
        return document["inside"], ""
    if head["name"].lower() == "mj-head":
        return document["inside"], head["inside"]
    return document["inside"], "".join(found[0] for found in _HTML_STYLES.finditer(head["inside"]))


def _with_styles(whole: str, styles: str, markup: str) -> str:
    if ends := _HEAD_ENDS.search(whole):
        return whole[: ends.start()] + styles + whole[ends.start() :]
    head = "mj-head" if markup == "mjml" else "head"
    opens = _BODY_OPENS.search(whole)
    at = opens.start() if opens else 0
    return f"{whole[:at]}<{head}>{styles}</{head}>{whole[at:]}"


def _words(markup: str) -> str:
    return "MJML" if markup == "mjml" else "HTML"
