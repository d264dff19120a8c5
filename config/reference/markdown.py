"""Pieces of Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

MADE = "*Made from the code of this version; there is no file to edit.*"


def page(title: str, intro: str, *parts: str) -> str:
    return "\n\n".join([f"# {title}", intro.strip(), MADE, *(part.strip() for part in parts if part.strip())]) + "\n"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Empty where there are no rows."""
    lines = [f"| {' | '.join(cell(each) for each in row)} |" for row in rows]
    if not lines:
        return ""
    return "\n".join([f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}", *lines])


def cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def code(text: str) -> str:
    return f"`{text}`" if text else ""
