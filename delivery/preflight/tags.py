"""Lists of tags as DKIM and DMARC write them: `v=DMARC1; p=reject`. Pure."""

from __future__ import annotations


def tags_of(record: str) -> dict[str, str]:
    """The first of each name counts; what has no name is passed over."""
    found: dict[str, str] = {}
    for part in record.split(";"):
        name, sign, value = part.partition("=")
        if sign and name.strip():
            found.setdefault(name.strip().lower(), value.strip())
    return found
