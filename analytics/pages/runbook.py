"""The runbook of docs/operations, for whoever has the admin before him and not the repository: its headings, texts,
lists, code and links, and nothing else of Markdown."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from django.conf import settings
from django.utils.html import conditional_escape, format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

_PIECE = re.compile(r"`([^`]+)`|\*\*([^*]+)\*\*")


@dataclass(frozen=True)
class Section:
    """`anchor` is the name of a source of alerts, or of a general matter."""

    anchor: str
    title: str
    blocks: tuple[SafeString, ...]


def path() -> Path:
    return Path(settings.BASE_DIR) / "docs" / "operations" / "runbook.md"


@cache
def read() -> tuple[Section, ...]:
    """Every section of the file, in its order; none where there is no file."""
    return tuple(sections(path().read_text(encoding="utf-8"))) if path().is_file() else ()


def sections(text: str) -> Iterator[Section]:
    """A section is `## anchor`, a line `**Title.**`, and blocks with empty lines between them."""
    for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        anchor, _, rest = part.partition("\n")
        title, *blocks = (block.strip("\n") for block in re.split(r"\n\s*\n", rest.strip("\n")))
        yield Section(anchor.strip(), title.strip("* ").rstrip("."), tuple(_block(block) for block in blocks))


def _block(text: str) -> SafeString:
    lines = text.splitlines()
    if all(line.startswith("    ") for line in lines):
        return format_html('<pre class="cl-json" tabindex="0">{}</pre>', textwrap.dedent(text))
    if re.match(r"(- |\d+\. )", lines[0]):
        items = [" ".join(item.split()) for item in re.split(r"^(?:- |\d+\. )", text, flags=re.MULTILINE)[1:]]
        made = format_html_join("", "<li>{}</li>", ((_line(item),) for item in items))
        return format_html("<ul>{}</ul>" if lines[0].startswith("- ") else "<ol>{}</ol>", made)
    return format_html("<p>{}</p>", _line(" ".join(text.split())))


def _line(text: str) -> SafeString:
    made, at = [], 0
    for piece in _PIECE.finditer(text):
        made.append(conditional_escape(text[at : piece.start()]))
        code, strong = piece.groups()
        made.append(format_html('<code class="cl-code">{}</code>', code) if code else format_html("<b>{}</b>", strong))
        at = piece.end()
    made.append(conditional_escape(text[at:]))
    return mark_safe("".join(made))  # noqa: S308  (every piece is escaped above)
