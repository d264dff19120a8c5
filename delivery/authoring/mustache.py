"""Mustache, as templates of marketers need it: logic-less, over plain JSON data, with nothing else within reach.

chevron-ng does the rendering, without lambdas, partials or files. Ours is the little around it: a template is read
once and kept as tokens; text and subjects are not HTML-escaped; the single quote is, where HTML is; names that begin
with two underscores find nothing, so Python's own attributes cannot be reached.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import chevron
from chevron.tokenizer import ChevronError, tokenize

DEEPEST = 32
LONGEST = 1_000_000  # characters of a template
_OPENERS = frozenset({"section", "inverted section", "parent", "block"})
_NOT_NAMES = frozenset({"literal", "comment", "set delimiter"})
_STANDS_FOR_QUOTE = "\ufdd0"  # noncharacters, never found in text
_FINDS_NOTHING = "\ufdd1"

Token = tuple[str, ...]


class BadMustache(ValueError):
    """The template cannot be read, or not be rendered with this data; the message says why, and at which line."""


@lru_cache(maxsize=512)
def read(source: str, *, escape: bool) -> tuple[Token, ...]:
    """The tokens of a template. Raises BadMustache."""
    if len(source) > LONGEST:
        raise BadMustache(f"the template is longer than {LONGEST} characters")
    try:
        tokens = list(tokenize(source, include_raw=True))
    except (ChevronError, IndexError) as error:  # IndexError: an empty tag
        words = _words(error) if isinstance(error, ChevronError) else "a tag is empty"
        raise BadMustache(words) from error
    depth = 0
    kept: list[Token] = []
    for tag, name, *raw in tokens:
        depth += (tag in _OPENERS) - (tag == "end")
        if depth > DEEPEST:
            raise BadMustache(f"sections are nested deeper than {DEEPEST}")
        is_hidden = tag not in _NOT_NAMES and any(part.startswith("__") for part in name.split("."))
        key = _FINDS_NOTHING if is_hidden else name
        kept.append(("no escape" if tag == "variable" and not escape else tag, key, *raw))
    return tuple(kept)


def render(source: str, data: Mapping[str, Any], *, escape: bool) -> str:
    """The template filled with plain JSON data. `escape`: the result is HTML. A missing name is an empty string.

    Raises BadMustache."""
    tokens = read(source, escape=escape)
    if escape:
        data = _replaced(data, lambda text: text.replace("'", _STANDS_FOR_QUOTE))
    try:
        filled = chevron.render(tokens, data, partials_path=None, partials_dict={}, lambdas={})
    except (ChevronError, IndexError, RecursionError, TypeError, ValueError) as error:
        raise BadMustache(_words(error)) from error
    return filled.replace(_STANDS_FOR_QUOTE, "&#39;") if escape else filled


def _replaced(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {name: _replaced(each, change) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_replaced(each, change) for each in value]
    return value


def _words(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
