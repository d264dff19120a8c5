"""Keys of paths and variants, and the names by which people know them: `opened_it` and “Opened it”."""

from __future__ import annotations

import re
from typing import Any

from workflows.builder.operations.change import Refused
from workflows.definition.strict import KEY

LONGEST = 60


def name_of(key: str) -> str:
    """What the key says in words; the key itself where words would not say it again."""
    words = key.replace("_", " ").capitalize()
    return words if _made_of(words) == key else key


def key_of(name: str) -> str:
    """Raises Refused for a name that leaves no key."""
    key = name if re.fullmatch(r"[A-Z0-9-]{1,60}", name) else _made_of(name)
    if not key:
        raise Refused(f"The name “{name}” needs a letter from A to Z or a digit.")
    return key


def fits_key(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(KEY, value) is not None


def _made_of(name: str) -> str:
    return re.sub(r"[^a-z0-9-]+", "_", name.lower()).strip("_")[:LONGEST]
