"""Definition files are YAML or JSON, read by YAML 1.2's rules: `yes` and `on` are words, `10:30` is a time of day and
not 630, `2026-01-01` is text. (YAML 1.1, which PyYAML follows by itself, surprises people in all three.)"""

from __future__ import annotations

import json
import re
from typing import Any

import yaml


class UnreadableFile(ValueError):
    """Neither YAML nor JSON; the message says where."""


class _Loader(yaml.SafeLoader):
    """SafeLoader with YAML 1.2's words; the names in a mapping are always text, as they are in JSON."""

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        super().flatten_mapping(node)
        for name, _ in node.value:
            if isinstance(name, yaml.ScalarNode):
                name.tag = "tag:yaml.org,2002:str"


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("merge", r"<<", "<"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), list(_first))


def _int(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    text = loader.construct_scalar(node)
    return int(text, 0) if text.startswith(("0o", "0x")) else int(text)


_Loader.add_constructor("tag:yaml.org,2002:int", _int)
LOADER = _Loader
RESOLVERS = _Loader.yaml_implicit_resolvers  # first character -> what a plain word may be taken for


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is not a number")


def read(text: str) -> Any:
    """The document in `text`. Raises UnreadableFile."""
    try:
        return json.loads(text, parse_constant=_no_number)  # which may hold characters that YAML wants escaped
    except (ValueError, RecursionError):
        pass
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506  (a SafeLoader)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        problem = getattr(error, "problem", None) or type(error).__name__
        raise UnreadableFile(f"{place}{problem}") from error
