"""What every vendor's webhook becomes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Report:
    """One thing that a vendor says happened, in our words.

    `mid`: our id of the message, None where it names none of ours. `consequence`: the scope and reason for which the
    address is to be suppressed. `dedup`: 32 bytes, the same for every delivery of this one thing."""

    mid: str | None
    kind: str
    occurred_at: datetime
    address: str
    is_machine: bool
    detail: Mapping[str, Any]
    dedup: bytes
    consequence: tuple[str, str] | None = None


@dataclass(frozen=True)
class Reading:
    """What was found in a body. `unread` says what could not be read, and where; the rest is taken."""

    reports: Sequence[Report] = ()
    unread: Sequence[str] = ()


@dataclass(frozen=True)
class Vendor:
    """`is_genuine(headers, body)` on the raw bytes; `read(body, received_at)` never raises."""

    is_genuine: Callable[[Mapping[str, str], bytes], bool]
    read: Callable[[bytes, datetime], Reading]
