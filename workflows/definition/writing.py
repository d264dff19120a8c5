"""Definition files as they are written: the same bytes for the same definition, pleasant to read and to compare.

YAML that `reading` reads back as it was, and so does any reader of YAML 1.1: whatever either of them would take for
something else than text is quoted. The workflow's parts and its steps have lines of their own; a part of them that
fits on a line stays on one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import yaml

from workflows.definition import reading
from workflows.spelling import ordered, spelled

FORMATS = ("yaml", "json")
_LINE = 88
_ODD_BREAKS = "\r\x85\u2028\u2029\ufeff"
_TAG = "tag:yaml.org,2002:"


def written(definition: Any, form: str) -> str:
    """The definition as a file of that form, one of FORMATS."""
    return as_json(definition) if form == "json" else as_yaml(definition)


def as_json(definition: Any) -> str:
    return f"{spelled(definition)}\n"


def as_yaml(definition: Any) -> str:
    node = _node(ordered(definition), path=())
    return yaml.serialize(node, Dumper=_Dumper, allow_unicode=True, width=10_000)


class _Dumper(yaml.SafeDumper):
    """Quotes what YAML 1.2 would misread, too, and sets lists in from their name."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


_Dumper.yaml_implicit_resolvers = {
    first: [*yaml.SafeDumper.yaml_implicit_resolvers.get(first, ()), *reading.RESOLVERS.get(first, ())]
    for first in {**yaml.SafeDumper.yaml_implicit_resolvers, **reading.RESOLVERS}
}


def _node(value: Any, path: tuple[str, ...]) -> yaml.Node:
    if isinstance(value, Mapping):
        pairs = [(_scalar(key), _node(part, (*path, key))) for key, part in value.items()]
        return yaml.MappingNode(f"{_TAG}map", pairs, flow_style=_on_one_line(value, path))
    if isinstance(value, list):
        parts = [_node(part, (*path, "")) for part in value]
        return yaml.SequenceNode(f"{_TAG}seq", parts, flow_style=_on_one_line(value, path))
    return _scalar(value)


def _scalar(value: Any) -> yaml.ScalarNode:
    if value is None:
        return yaml.ScalarNode(f"{_TAG}null", "null")
    if isinstance(value, bool):
        return yaml.ScalarNode(f"{_TAG}bool", "true" if value else "false")
    if isinstance(value, int):
        return yaml.ScalarNode(f"{_TAG}int", str(value))
    if isinstance(value, float):
        return yaml.ScalarNode(f"{_TAG}float", _float(value))
    return yaml.ScalarNode(f"{_TAG}str", value, style=_style(value))


def _style(text: str) -> str | None:
    """As a block where it has lines. What YAML takes for an end of a line, and JSON does not, is spelled out."""
    if any(character in text for character in _ODD_BREAKS):
        return '"'
    return "|" if "\n" in text else None


def _float(value: float) -> str:
    """With a point, without which readers of YAML 1.1 see a text in `1e-07`."""
    number, e, exponent = repr(value).partition("e")
    return f"{number if '.' in number else f'{number}.0'}{e}{exponent}"


def _on_one_line(value: Any, path: tuple[str, ...]) -> bool:
    if not value:
        return True
    if len(path) < 2 or (len(path) == 2 and path[0] == "steps"):
        return False
    flat = json.dumps(value, ensure_ascii=False)
    return len(flat) + 2 * len(path) + len(path[-1]) <= _LINE and "\\n" not in flat
