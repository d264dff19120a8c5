"""Where in a block document something is: what is not finished, what cannot be read, what a finding is about. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from delivery.authoring import mustache

Place = tuple[str | int, ...]
SHORTEST = 4  # characters of a text that tells one block from another
_NAME = re.compile(r"(?:attribute|has|property) ([\w.\-]+)$|^([\w.\-]+) is a field")


def texts(value: Any, path: Place = ()) -> Iterator[tuple[Place, str]]:
    """Every text of a document with its place."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for name, each in value.items():
            if name != "type":
                yield from texts(each, (*path, name))
    elif isinstance(value, Sequence):
        for index, each in enumerate(value):
            yield from texts(each, (*path, index))


def unreadable(body: Any) -> Place:
    """The first field of a block that is no Mustache by itself: where one looks for a section that is not closed."""
    for path, text in texts(body):
        try:
            mustache.render(text, {}, escape=True)
        except mustache.BadMustache:
            return ("blocks", *path)
    return ()


def mentions(text: str, name: str) -> bool:
    """Whether a text names the value, by whichever of its names."""
    return bool(re.search(rf"\{{\{{[{{#^&/]*\s*(?:contact\.|trigger\.)?{re.escape(name)}\b", text))


def about(body: Any, message: str) -> Place:
    """The field that a finding speaks of: the one that holds the name or the words that it quotes."""
    named = _NAME.search(message)
    name = next((group for group in named.groups() if group), "").removeprefix("contact.") if named else ""
    for path, text in texts(body):
        if name and mentions(text, name):
            return path
    if not name:
        for path, text in texts(body):
            if len(text) >= SHORTEST and text[:60] in message:
                return path
    return ()


def unfinished(body: Any, path: Place = ()) -> Iterator[tuple[Place, str]]:
    """Buttons that lead nowhere, pictures that are none or say nothing."""
    for index, block in enumerate(body if isinstance(body, list) else []):
        if not isinstance(block, Mapping):
            continue
        here = (*path, index)
        match block.get("type"):
            case "button" if not block.get("href"):
                yield (*here, "href"), "the button leads nowhere"
            case "image" if not block.get("src"):
                yield (*here, "src"), "there is no picture yet"
            case "image" | "product" if block.get("src") and not block.get("alt"):
                yield (*here, "alt"), "the picture says nothing to whoever does not see it"
            case "logo" if block.get("src") and not block.get("text"):
                yield (*here, "text"), "the logo says nothing to whoever does not see it"
            case "columns":
                for number, column in enumerate(block.get("columns") or []):
                    yield from unfinished(column, (*here, "columns", number))
