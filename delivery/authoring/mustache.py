"""Mustache, as templates of marketers need it: logic-less, over plain JSON data, with nothing else within reach.

chevron-ng reads a template, and our own `compiled` fills it: the same bytes, for a fifteenth of the time or less.
Inheritance, which Mustache leaves optional, chevron-ng fills as well, without lambdas, partials or files. Text and
subjects are not HTML-escaped; all five characters are, where HTML is; names that begin with two underscores find
nothing, so Python's own attributes cannot be reached.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import chevron
from chevron.tokenizer import ChevronError, tokenize

from delivery.authoring import compiled
from delivery.authoring.compiled import Body, Token

DEEPEST = 32
LONGEST = 1_000_000  # characters of a template
_OPENERS = frozenset({"section", "inverted section", "parent", "block"})
_NOT_NAMES = frozenset({"literal", "comment", "set delimiter"})
KEPT_COMPILED = 256  # templates, of which none
KEPT_UP_TO = 256_000  # is longer than so many characters
_STANDS_FOR_QUOTE = "\ufdd0"  # noncharacters, never found in text
_FINDS_NOTHING = "\ufdd1"


class BadMustache(ValueError):
    """The template cannot be read, or not be rendered with this data; the message says why, and at which line."""


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
        if tag == "set delimiter" and not name.split():
            raise BadMustache("a tag changes the delimiters to nothing")
        is_hidden = tag not in _NOT_NAMES and any(part.startswith("__") for part in name.split("."))
        key = _FINDS_NOTHING if is_hidden else name
        kept.append(("no escape" if tag == "variable" and not escape else tag, key, *raw))
    return tuple(kept)


def render(source: str, data: Mapping[str, Any], *, escape: bool) -> str:
    """The template filled with plain JSON data. `escape`: the result is HTML. A missing name is an empty string.

    Raises BadMustache, also where the data makes the text too long (`compiled.LARGEST`)."""
    body, beyond = (_prepared if len(source) <= KEPT_UP_TO else _prepare)(source, escape)
    try:
        text = compiled.fill(body, data)
        return _with_chevron(beyond, data, escape=escape) if beyond else text
    except (ChevronError, IndexError, RecursionError, TypeError, ValueError) as error:
        raise BadMustache(_words(error)) from error


def _prepare(source: str, escape: bool) -> tuple[Body, tuple[Token, ...]]:
    """A template ready to be filled, and its tokens if that is beyond `compiled`."""
    tokens = read(source, escape=escape)
    return compiled.compiled(tokens, hidden=_FINDS_NOTHING), () if compiled.is_exact(tokens) else tokens


_prepared = lru_cache(maxsize=KEPT_COMPILED)(_prepare)


def _with_chevron(tokens: tuple[Token, ...], data: Mapping[str, Any], *, escape: bool) -> str:
    """For what is beyond `compiled`, once that has shown how much work it will be."""
    if escape:
        data = _quotes_replaced(data)
    filled = chevron.render(tokens, data, partials_path=None, partials_dict={}, lambdas={})
    return filled.replace(_STANDS_FOR_QUOTE, "&#39;") if escape else filled


class _Object(dict[str, Any]):
    """As chevron-ng shows it whole, but for the quotes."""

    given: Any

    def __str__(self) -> str:
        return str(self.given).replace("'", _STANDS_FOR_QUOTE)


class _List(list[Any]):
    given: Any
    __str__ = _Object.__str__


def _quotes_replaced(value: Any) -> Any:
    made: _Object | _List
    if isinstance(value, str):
        return value.replace("'", _STANDS_FOR_QUOTE)
    if isinstance(value, Mapping):
        made = _Object((name, _quotes_replaced(each)) for name, each in value.items())
    elif isinstance(value, list | tuple):
        made = _List(_quotes_replaced(each) for each in value)
    else:
        return value
    made.given = value
    return made


def _words(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
