"""The routes of the API, from its own schema."""

from __future__ import annotations

from typing import Any

from drf_spectacular.generators import SchemaGenerator

from config.reference.markdown import code, page, table

METHODS = ("get", "post", "put", "patch", "delete")


def api_page() -> str:
    schema = SchemaGenerator().get_schema(request=None, public=True)
    by_tag: dict[str, list[tuple[str, str, str]]] = {}
    for path, item in sorted(schema["paths"].items()):
        for method in METHODS:
            if method in item:
                tag = (item[method].get("tags") or ["other"])[0]
                row = (code(method.upper()), code(path), _first_sentence(item[method]))
                by_tag.setdefault(tag, []).append(row)
    parts = []
    for tag, rows in sorted(by_tag.items()):
        parts += [f"## {tag.replace('-', ' ').capitalize()}", table(("Method", "Address", "What it does"), rows)]
    return page(
        "API",
        "An installation tells its whole API itself: `/api/v1/docs/` to read and try, `/api/v1/schema/` as OpenAPI 3.1 "
        "with every field, status and error. This is the list of what there is.",
        *parts,
    )


def _first_sentence(operation: dict[str, Any]) -> str:
    words = " ".join(str(operation.get("summary") or operation.get("description") or "").split())
    return words.split(". ")[0].rstrip(".") + "." if words else ""
