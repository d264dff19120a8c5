"""The words of a block: Mustache tags stay as they are, everything else is escaped, and a little of it is marked up.
Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape

# What a merge tag looks like. Braces around anything else are text.
TAG = re.compile(r"\{\{\s*[#^/>]?\s*[\w.\-]{1,200}\s*\}\}|\{\{![^{}<>&]{0,500}\}\}")
UNESCAPED = re.compile(r"\{\{\{|\{\{\s*&")
_KEPT = re.compile("\ue000(\\d+)\ue001")  # of the private use area: stand for the tags while words are marked up
_LINK = re.compile(r"\[([^\[\]\n]{1,500})\]\(([^()\s]{1,2000})\)")
_BOLD = re.compile(r"\*\*(?=\S)(.+?)(?<=\S)\*\*", re.DOTALL)
_ITALIC = re.compile(r"(?<![*\w])\*(?=[^\s*])([^*]+?)(?<=[^\s*])\*(?![*\w])")
_SAFE_LINK = re.compile(r"(?:https?://|mailto:|tel:|#|\ue000)", re.IGNORECASE)
_ITEM = re.compile(r"[-•]\s+")


def line(text: str) -> str:
    """Words as the content of an element, without marks."""
    return _around_tags(text, lambda piece: escape(piece, quote=False))


def attribute(text: str) -> str:
    """Words as the value of an attribute between double quotes."""
    return _around_tags(text, lambda piece: escape(piece, quote=True))


def paragraphs(text: str) -> str:
    """Words with their marks, as HTML: paragraphs, lists, line breaks, bold, italic, links."""
    kept: list[str] = []

    def keep(found: re.Match[str]) -> str:
        kept.append(found.group())
        return f"\ue000{len(kept) - 1}\ue001"

    bare = TAG.sub(keep, text.replace("\r\n", "\n").replace("\ue000", "").replace("\ue001", ""))
    parts = [_paragraph(part) for part in re.split(r"\n[ \t]*\n+", bare.strip("\n")) if part.strip()]
    return _KEPT.sub(lambda found: kept[int(found.group(1))], "".join(parts))


def _paragraph(text: str) -> str:
    if not _KEPT.sub("", text).strip():
        return text.strip()  # nothing but tags, such as the end of a section: no paragraph of its own
    lines = text.strip("\n").split("\n")
    html: list[str] = []
    while lines:
        wanted = bool(_ITEM.match(lines[0]))
        run = []
        while lines and bool(_ITEM.match(lines[0])) == wanted:
            run.append(lines.pop(0))
        if wanted:
            items = "".join(f"<li>{_marked(_ITEM.sub('', item, count=1))}</li>" for item in run)
            html.append(f'<ul style="margin:0 0 12px;padding:0 0 0 22px">{items}</ul>')
        else:
            html.append(f'<p style="margin:0 0 12px">{_marked(chr(10).join(run)).replace(chr(10), "<br/>")}</p>')
    return "".join(html)


def _marked(text: str) -> str:
    """Marks become elements, one inside the other as far as they are well nested; the rest is escaped."""
    html, end = [], 0
    for found in _LINK.finditer(text):
        if _SAFE_LINK.match(found.group(2)):
            html.append(_emphasised(text[end : found.start()]))
            words = _emphasised(found.group(1))
            html.append(f'<a class="link" href="{escape(found.group(2), quote=True)}">{words}</a>')
            end = found.end()
    return "".join([*html, _emphasised(text[end:])])


def _emphasised(text: str) -> str:
    html, end = [], 0
    for found in _BOLD.finditer(text):
        html.append(_slanted(text[end : found.start()]))
        html.append(f"<strong>{_slanted(found.group(1))}</strong>")
        end = found.end()
    return "".join([*html, _slanted(text[end:])])


def _slanted(text: str) -> str:
    html, end = [], 0
    for found in _ITALIC.finditer(text):
        html.append(escape(text[end : found.start()], quote=False))
        html.append(f"<em>{escape(found.group(1), quote=False)}</em>")
        end = found.end()
    return "".join([*html, escape(text[end:], quote=False)])


def _around_tags(text: str, change: Callable[[str], str]) -> str:
    pieces, end = [], 0
    for found in TAG.finditer(text):
        pieces += [change(text[end : found.start()]), found.group()]
        end = found.end()
    return "".join([*pieces, change(text[end:])])
