"""JSON as people write it: what fits on a line stays on one, and the keys come in the order in which one reads them.
(The database keeps JSON by value, so the order in which it was written is lost.) Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

_LINE = 88
CONDITION = ("type", "field", "event", "op", "value", "count", "within", "where")


def neat(value: Any, indent: str = "", before: int = 0) -> str:
    """The editors' Format button (json_places.js) spells in the same way."""
    flat = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or not value or len(indent) + before + len(flat) <= _LINE:
        return flat
    deeper = f"{indent}  "
    if isinstance(value, list):
        rows = [deeper + neat(part, deeper) for part in value]
        return "[\n" + ",\n".join(rows) + f"\n{indent}]"
    rows = []
    for key, part in value.items():
        name = f"{json.dumps(key, ensure_ascii=False)}: "
        rows.append(deeper + name + neat(part, deeper, len(name)))
    return "{\n" + ",\n".join(rows) + f"\n{indent}}}"


def arranged(mapping: Mapping[str, Any], order: Sequence[str]) -> dict[str, Any]:
    """The keys of `order` first, then the others as they come."""
    known = {key: mapping[key] for key in order if key in mapping}
    return {**known, **{key: value for key, value in mapping.items() if key not in known}}


def arranged_deeply(value: Any, order: Sequence[str] = CONDITION) -> Any:
    if isinstance(value, Mapping):
        return {key: arranged_deeply(part, order) for key, part in arranged(value, order).items()}
    return [arranged_deeply(part, order) for part in value] if isinstance(value, list) else value
