"""Where things stand in a text of YAML: every path (`steps`, `welcome`, `config`) with its first and last character.
A text that cannot be read has no places. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import yaml

from workflows.definition.reading import LOADER


class Span(NamedTuple):
    """In UTF-16 code units, as browsers count."""

    start: int
    end: int


def places(text: str) -> dict[tuple[str, ...], Span]:
    try:
        root = yaml.compose(text, Loader=LOADER)
        found = dict(_within(root, (), None, set())) if root is not None else {}
    except (yaml.YAMLError, RecursionError, ValueError):
        return {}
    return {path: Span(*(_units(text, index) for index in span)) for path, span in found.items()}


def place_of(found: Mapping[tuple[str, ...], Span], path: tuple[str, ...]) -> Span:
    """The place of a path, or of the nearest thing around it that is there."""
    for length in range(len(path), 0, -1):
        if path[:length] in found:
            return found[path[:length]]
    return Span(0, 0)


def offset(text: str, index: int) -> int:
    return _units(text, index)


def _within(
    node: yaml.Node, path: tuple[str, ...], name: yaml.Node | None, seen: set[int]
) -> Iterator[tuple[tuple[str, ...], tuple[int, int]]]:
    start = (name or node).start_mark.index
    yield path, (start, _end(node, start))
    if id(node) in seen:  # named twice by an alias
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                yield from _within(value, (*path, key.value), key, seen)
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            yield from _within(value, (*path, str(number)), None, seen)


def _end(node: yaml.Node, start: int) -> int:
    """A block ends where the next thing begins: the empty lines before that are not its own."""
    end: int = node.end_mark.index
    buffer = node.end_mark.buffer
    while buffer is not None and end > start and buffer[end - 1 : end].isspace():
        end -= 1
    return end


def _units(text: str, index: int) -> int:
    return len(text[:index].encode("utf-16-le", "surrogatepass")) // 2
