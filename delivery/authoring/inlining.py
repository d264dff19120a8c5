"""CSS into style attributes, for the mail programs that read no style sheets. What cannot be inlined (media queries,
:hover, @font-face) stays in its style element. Mustache is kept as it was written. Nothing is fetched. Pure."""

from __future__ import annotations

import re

import css_inline

from contacts.faults import Fault
from delivery.authoring import tags
from delivery.authoring.html_reading import Reader

_UNREAD = frozenset({"style", "script", "title", "textarea"})
_STYLE = re.compile(r"<style\b", re.IGNORECASE)
# A parser would open the body of a table only at its first row, between a section's tag and its end. Comments for one
# mail program hold tables, too, which are left alone.
_ROWS = re.compile(
    r"<!--(?!\w+-->).*?-->|(?P<table><table\b[^>]*>)(?P<tags>(?:\s|<!--\w+-->)*)(?=<tr\b)", re.IGNORECASE | re.DOTALL
)
_SHEETS = css_inline.CSSInliner(
    keep_style_tags=True, remove_inlined_selectors=True, keep_link_tags=True, load_remote_stylesheets=False
)


class UnableToInline(ValueError):
    """`fault` says why, with the line of the text."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.msg)
        self.fault = fault


def inlined(html: str, *, css: str = "") -> str:
    """The document with its style sheets inlined; with `css` that one alone, and its own sheets stay as they are.

    Raises UnableToInline."""
    if not css and not _STYLE.search(html):
        return html
    guarded = tags.guarded(html)
    if guarded.loose is not None:
        said = "a Mustache tag stands inside of an element's tag, but in no attribute's value: no CSS is inlined there"
        raise UnableToInline(Fault("tag_in_markup", f"{said} (line {tags.line(html, guarded.loose)})"))
    text = _ROWS.sub(_with_a_body, guarded.text)
    try:
        if css:
            inliner = css_inline.CSSInliner(
                inline_style_tags=False,
                keep_style_tags=True,
                keep_link_tags=True,
                load_remote_stylesheets=False,
                extra_css=css,
            )
            done = inliner.inline(text)
        else:
            done = _SHEETS.inline(text)
    except (css_inline.InlineError, ValueError) as error:
        raise UnableToInline(Fault("css", f"the style sheet cannot be read: {error}")) from error
    if guarded.written and _reading(text) != _reading(done):
        said = "some of the HTML would be moved, perhaps out of its section: look for what stands in a table outside of"
        raise UnableToInline(Fault("nesting", f"{said} its cells"))
    try:
        return guarded.restored(done)
    except tags.Lost as lost:
        said = f"{lost.tag} would be lost when the CSS is inlined"
        raise UnableToInline(Fault("tag_lost", f"{said} (line {tags.line(html, lost.at)})")) from lost


def _reading(html: str) -> list[str]:
    """What a reader meets, in its order: words, pictures, and the comments that stand for Mustache tags."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return [piece for piece in "".join(reader.pieces).split("\n") if piece]


class _Reader(Reader):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent += tag in _UNREAD
        if tag in ("img", "hr", "br", "input"):
            self.pieces.append(f"\n<{tag}>\n")

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in _UNREAD and self._silent > 0

    def handle_comment(self, data: str) -> None:
        if data.isalnum():
            self.pieces.append(f"\n{data}\n")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.pieces.append("".join(data.split()))


def _with_a_body(found: re.Match[str]) -> str:
    return f"{found['table']}<tbody>{found['tags']}" if found["table"] else found[0]
