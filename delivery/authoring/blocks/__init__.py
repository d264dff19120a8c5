"""Block documents: a mail as a list of blocks, and how it becomes MJML. Pure.

[{"type": "theme", "accent": "#4f46e5"}, {"type": "heading", "text": "Welcome, {{first_name}}"}, …, {"type": "footer"}]

`theme` stands first and `footer` last, each at most once; both may be left out. What may stand in each block is in
`blocks_model`. Words are escaped, merge tags are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from contacts.faults import Fault
from delivery.authoring.blocks import mjml as blocks_mjml
from delivery.authoring.blocks.model import SCHEMA, TYPES, Block

__all__ = ["SCHEMA", "TYPES", "BadBlocks", "mjml_of", "read"]

_CODES = {"missing": "missing_key", "extra_forbidden": "unknown_key"}


class BadBlocks(ValueError):
    """The document cannot be read; each of `faults` stands at its place, as `blocks.2.text`."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(f"{'.'.join(map(str, fault.loc))}: {fault.msg}" for fault in faults))
        self.faults = tuple(faults)


def mjml_of(blocks: Sequence[Mapping[str, Any]]) -> str:
    """The mail in MJML, Mustache tags as they were written. Raises BadBlocks, for any JSON value."""
    return blocks_mjml.document(read(blocks))


def read(blocks: Any) -> list[Block]:
    """The document as values. Raises BadBlocks, for any JSON value."""
    given = list(blocks) if isinstance(blocks, tuple) else blocks
    try:
        known: list[Block] = SCHEMA.validate_python(given)
    except ValidationError as error:
        raise BadBlocks([_fault(each, given) for each in error.errors(include_url=False)]) from error
    except RecursionError as error:
        raise BadBlocks([Fault("too_deep", "is nested too deeply", ("blocks",))]) from error
    kinds = [block.type for block in known]  # type: ignore[attr-defined]
    faults = []
    for kind, place, words in (("theme", 0, "stands first"), ("footer", len(kinds) - 1, "stands last")):
        faults += [
            Fault("place", f"a {kind} {words}, and once", ("blocks", at))
            for at, each in enumerate(kinds)
            if each == kind and at != place
        ]
    if faults:
        raise BadBlocks(faults)
    return known


def _fault(error: Any, given: Any) -> Fault:
    """pydantic's error at the place where it stands in the document; the value is not repeated."""
    loc = _place(error["loc"], given)
    kind = error["type"]
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        return Fault("unknown_block", f"has to be one of {', '.join(TYPES)}", ("blocks", *loc, "type"))
    message = error["msg"]
    return Fault(_CODES.get(kind, kind), message[:1].lower() + message[1:], ("blocks", *loc))


def _place(loc: Sequence[str | int], given: Any) -> tuple[str | int, ...]:
    """Without the names of the alternatives, which pydantic puts between a block and its field."""
    kept: list[str | int] = []
    here = given
    is_fresh = False  # whether we have just come to an element of a list
    for part in loc:
        if is_fresh and isinstance(here, Mapping) and here.get("type") == part:
            is_fresh = False
            continue
        kept.append(part)
        is_fresh = isinstance(part, int)
        try:
            here = here[part]
        except (LookupError, TypeError):
            here = None
    return tuple(kept)
