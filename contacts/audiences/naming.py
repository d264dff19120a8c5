"""What lists and segments may be called, and what is wrong where one cannot be written."""

from __future__ import annotations

import re
from collections.abc import Sequence

from contacts.faults import Fault

LONGEST_SLUG = 100
LONGEST_NAME = 200
LONGEST_DESCRIPTION = 2000
_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?")


class Refused(ValueError):
    """A list or segment cannot be written so. `faults` says what is wrong, place by place; never empty."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = list(faults)
        super().__init__("; ".join(f"{'.'.join(map(str, fault.loc))}: {fault.msg}" for fault in faults))


def slug_faults(slug: object) -> list[Fault]:
    if isinstance(slug, str) and len(slug) <= LONGEST_SLUG and _SLUG.fullmatch(slug):
        return []
    message = f"must be 1 to {LONGEST_SLUG} of a–z, 0–9, - and _, beginning and ending with a letter or digit"
    return [Fault("slug", message, ("slug",))]


def name_faults(name: object) -> list[Fault]:
    if isinstance(name, str) and name.strip() and len(name) <= LONGEST_NAME and name.isprintable():
        return []
    return [Fault("name", f"must have 1 to {LONGEST_NAME} characters that can be shown", ("name",))]


def description_faults(description: object) -> list[Fault]:
    if isinstance(description, str) and len(description) <= LONGEST_DESCRIPTION and "\x00" not in description:
        return []
    return [Fault("length", f"must be a text of at most {LONGEST_DESCRIPTION} characters", ("description",))]
