"""The settings of pydantic models as tables: the words are those of the builder's forms."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from pydantic import BaseModel

from config.reference.markdown import code, table
from workflows.definition.shown import fields

MOST_CHOICES = 12


def settings_table(model: type[BaseModel], *, without: Collection[str] = ()) -> str:
    """Name, what it is, its type and its default, a row for each setting."""
    schema = model.model_json_schema()
    required = set(schema.get("required", ()))
    rows = []
    for name, (info, shown) in fields(model).items():
        if name in without:
            continue
        about = f"{shown.label}. {shown.help}".strip() if shown.help else shown.label
        default = "required" if name in required else code(_spelt(info.get_default(call_default_factory=True)))
        kind = typed(schema["properties"][name], schema.get("$defs", {}))
        rows.append((code(name), about, kind, default))
    return table(("Setting", "What it is", "Type", "Default"), rows)


def typed(schema: Mapping[str, Any], named: Mapping[str, Any]) -> str:
    """The type of a JSON schema in a few words."""
    if "$ref" in schema:
        return typed(named[schema["$ref"].rpartition("/")[2]], named)
    if "anyOf" in schema or "oneOf" in schema:
        kinds = [typed(each, named) for each in schema.get("anyOf") or schema["oneOf"]]
        return " or ".join(dict.fromkeys(kind for kind in kinds if kind != "null"))
    if "const" in schema:
        return code(str(schema["const"]))
    if "enum" in schema and len(schema["enum"]) <= MOST_CHOICES:
        return ", ".join(code(str(each)) for each in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {typed(schema.get('items', {}), named)}"
    if schema.get("type") == "object" and schema.get("properties"):
        return "{" + ", ".join(schema["properties"]) + "}"
    return str(schema.get("type", "any"))


def _spelt(default: Any) -> str:
    if isinstance(default, BaseModel):
        default = default.model_dump(by_alias=True, exclude_defaults=True)
    return (
        "" if default in (None, "", [], {}, ()) else str(default).lower() if isinstance(default, bool) else str(default)
    )
