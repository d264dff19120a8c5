"""MJML to HTML, by mrml. What stands in mj-text, mj-button and their like is HTML and goes through untouched, so it may
be as loose as HTML is; Mustache is kept, between elements and in attributes. Nothing is fetched or included. Pure."""

from __future__ import annotations

import re
from xml.parsers import expat

import mrml

from contacts.faults import Fault
from delivery.authoring import inlining, tags
from delivery.authoring.inlining import UnableToInline

_ENDING = (
    "mj-text|mj-button|mj-table|mj-raw|mj-style|mj-accordion-title|mj-accordion-text|mj-navbar-link|mj-social-element"
)
_CONTENTS = re.compile(
    rf"<!--.*?-->|<(?P<name>{_ENDING})\b(?P<given>(?:[^<>\"'/]|/(?!>)|\"[^\"]*\"|'[^']*')*)>(?P<inside>.*?)</(?P=name)\s*>",
    re.DOTALL,
)
_INLINE = re.compile(r"\binline\s*=\s*[\"']inline[\"']")
_HEAD = re.compile(r"<mj-head\b.*?</mj-head\s*>", re.DOTALL)
_PLACE = re.compile(r"position (\d+):")
# a comment ends where it ends and nowhere later: else many of them could be read in as many ways as there are sums
_ROOT = re.compile(r"(?:<\?xml[^>]*\?>|<!--(?:[^-]|-[^-]|--+[^->])*--+>|\s)*<mjml\b")


class BadMjml(ValueError):
    """`fault` says why, with the line of the text."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.msg)
        self.fault = fault


def is_document(text: str) -> bool:
    return bool(_ROOT.match(text))


def to_html(text: str) -> str:
    """The mail's HTML. Raises BadMjml."""
    if not is_document(text):
        raise BadMjml(Fault("mjml", "MJML begins with <mjml>"))
    mark = "xqz"
    while mark in text.lower():
        mark += "q"
    contents: list[str] = []
    sheets: list[str] = []

    def put_away(found: re.Match[str]) -> str:
        name = found["name"]
        if name is None or not found["inside"].strip():
            return found[0]
        if name == "mj-style" and _INLINE.search(found["given"]):
            sheets.append(found["inside"])
            return "\n" * found[0].count("\n")
        contents.append(found["inside"])
        lines = "\n" * found["inside"].count("\n")
        return f"<{name}{found['given']}>{mark}{len(contents) - 1}z{lines}</{name}>"

    skeleton = _CONTENTS.sub(put_away, text)
    guarded = tags.guarded(skeleton)
    if guarded.loose is not None:
        raise BadMjml(_at(skeleton, guarded.loose, "a Mustache tag stands in no attribute's value of an element"))
    try:
        made = mrml.to_html(guarded.text).content
    except OSError as error:  # mrml's one error
        raise BadMjml(_fault(guarded, skeleton, str(error))) from error
    html = _restored(guarded, skeleton, made)
    html = re.sub(rf"{mark}(\d+)z\n*", lambda found: contents[int(found[1])], html)
    try:
        return inlining.inlined(html, css="\n".join(sheets)) if sheets else html
    except UnableToInline as error:
        raise BadMjml(error.fault) from error


def _restored(guarded: tags.Guarded, skeleton: str, made: str) -> str:
    """A tag in mj-head may say what is used nowhere; one in the body may not vanish."""
    try:
        return guarded.restored(made)
    except tags.Lost as lost:
        head = _HEAD.search(skeleton)
        if head and head.start() <= lost.at < head.end():
            return guarded.restored(made, must_be_there=False)
        said = f"MJML takes no variable there: {lost.tag} would be lost"
        raise BadMjml(_at(skeleton, lost.at, said, code="tag_lost")) from lost


def _fault(guarded: tags.Guarded, skeleton: str, said: str) -> Fault:
    """mrml says little of the place; a reader of XML says more."""
    reader = expat.ParserCreate()
    reader.UseForeignDTD(True)  # names of HTML such as &nbsp; are not what is wrong
    try:
        reader.Parse(guarded.text, True)
    except expat.ExpatError as error:
        words = expat.ErrorString(error.code)
        return Fault("mjml", f"the MJML cannot be read: {words} (line {error.lineno})")
    place = _PLACE.search(said)
    if place:
        return Fault("mjml", f"the MJML cannot be read (line {tags.line(guarded.text, int(place[1]))}): {said}")
    return Fault("mjml", f"the MJML cannot be read: {said}")


def _at(text: str, at: int, said: str, *, code: str = "tag_in_markup") -> Fault:
    return Fault(code, f"{said} (line {tags.line(text, at)})")
