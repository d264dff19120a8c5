"""Two versions of a template beside each other, line by line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any

AROUND = 2  # unchanged lines that are shown around a change
MOST_LINES = 4_000  # of one version that are compared
LONGEST_LINE = 2_000


def compared(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[dict[str, str]]:
    """[{"op": same · gone · new · skipped, "text": …}]; empty: the two say the same. Takes drafts as `editor_draft`
    writes them."""
    before, after = list(_lines(one))[:MOST_LINES], list(_lines(other))[:MOST_LINES]
    groups = SequenceMatcher(a=before, b=after, autojunk=False).get_grouped_opcodes(AROUND)
    rows: list[dict[str, str]] = []
    end = 0
    for group in groups:
        if group[0][1] > end:
            rows.append({"op": "skipped", "text": _count(group[0][1] - end)})
        for op, a, b, c, d in group:
            if op == "equal":
                rows += _rows("same", before[a:b])
            else:
                rows += _rows("gone", before[a:b]) + _rows("new", after[c:d])
        end = group[-1][2]
    if rows and end < len(before):
        rows.append({"op": "skipped", "text": _count(len(before) - end)})
    return rows


def _rows(op: str, lines: Sequence[str]) -> list[dict[str, str]]:
    return [{"op": op, "text": line[:LONGEST_LINE]} for line in lines]


def _count(lines: int) -> str:
    return f"{lines} line{'s' if lines > 1 else ''} alike"


def _lines(draft: Mapping[str, Any]) -> Iterator[str]:
    yield f"Name: {draft['name']}"
    for name in sorted(draft["words"]):
        part = draft["words"][name]
        if name:
            yield f"── {name} ──"
        yield f"Subject: {part['subject']}"
        yield f"Preheader: {part['preheader']}"
        source = part["source"]
        if source.get("layout"):
            yield f"Layout: {source['layout']}"
        if source["kind"] == "blocks":
            yield from _blocks(source["body"])
        else:
            yield f"Written as {source['kind'].upper()}"
            yield from str(source["body"]).split("\n")
        if part["text"]:
            yield "Plain text:"
            yield from part["text"].split("\n")
    for name, value in sorted(draft["options"].items()):
        yield f"{name}: {value}"


def _blocks(blocks: Any, indent: str = "") -> Iterator[str]:
    for block in blocks if isinstance(blocks, list) else []:
        if not isinstance(block, dict):
            continue
        yield f"{indent}[{block.get('type')}]"
        for name, value in block.items():
            if name == "columns" and isinstance(value, list):
                for column in value:
                    yield f"{indent}  column"
                    yield from _blocks(column, indent + "    ")
            elif name != "type":
                for line in f"{name}: {value}".split("\n"):
                    yield f"{indent}  {line}"
