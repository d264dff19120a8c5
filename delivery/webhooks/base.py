"""What every vendor's webhook becomes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Knock:
    """A request as it came. `headers` are found in any case of letters. `url` is the one that the vendor was given: our
    public address, whatever the Host header says, with path and query."""

    headers: Mapping[str, str]
    body: bytes
    url: str
    at: datetime


class UnableToVerify(Exception):
    """Whether it is genuine cannot be told now, for a reason that is not the sender's. It is to come again."""


@dataclass(frozen=True)
class Report:
    """One thing that a vendor says happened, in our words.

    `mid`: our id of the message, None where it names none of ours. `consequence`: the scope and reason for which the
    address is to be suppressed. `dedup`: 32 bytes, the same for every delivery of this one thing. `channel`: that of
    `address`. `is_timed`: the instant is our own to the millisecond, so one that is too soon for a person is a machine.
    `is_last_word`: the person said it themselves, of no message: of all that they said so, the last holds."""

    mid: str | None
    kind: str
    occurred_at: datetime
    address: str
    is_machine: bool
    detail: Mapping[str, Any]
    dedup: bytes
    consequence: tuple[str, str] | None = None
    channel: str = "email"
    is_timed: bool = False
    is_last_word: bool = False


@dataclass(frozen=True)
class Reading:
    """What was found in a body. `unread` says what could not be read, and where; the rest is taken."""

    reports: Sequence[Report] = ()
    unread: Sequence[str] = ()


@dataclass(frozen=True)
class Once:
    """A token that may come with one content only, where the signature covers the token and not the content."""

    token: str = field(repr=False)
    content: bytes


@dataclass(frozen=True)
class Vendor:
    """`is_genuine(knock)` on the raw bytes, raises UnableToVerify; `read(body, received_at)` never raises.

    `once(body)`: for a signature that does not cover the body. `greet(knock)`: what has to be done before a genuine
    body is answered, raises UnableToVerify. `stored(knock)`: what is kept of it where the URL says something, too; else
    the body as it came. `looks_by_get`: it asks with a GET whether anybody is here."""

    is_genuine: Callable[[Knock], bool]
    read: Callable[[bytes, datetime], Reading]
    once: Callable[[bytes], Once] | None = None
    greet: Callable[[Knock], None] | None = None
    stored: Callable[[Knock], bytes] | None = None
    looks_by_get: bool = False
