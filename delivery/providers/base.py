"""What every provider is: letters go in, one answer for each comes out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

ACCEPTED = "accepted"  # the provider has taken it
REJECTED = "rejected"  # it will never take this one
RETRY = "retry"  # it did not take it, and may later
NOT_STARTED = "not_started"  # it was not asked
IN_DOUBT = "in_doubt"  # it may have taken it, and did not say
STOP = "stop"  # it takes nothing from us: our key or our account is at fault, not the message


AUTO_SUBMITTED = "Auto-Submitted"  # RFC 3834: mail of a program to those who run it; no holiday notice answers it


@dataclass(frozen=True)
class Letter:
    """One mail (or SMS, or push message: then `text` is all that is sent) to one address, ready to go. `mid` is our
    name for it, which comes back with every webhook."""

    mid: str
    to_address: str
    from_address: str
    from_name: str
    subject: str
    html: str
    text: str
    headers: Mapping[str, str] = field(default_factory=dict)
    channel: str = "email"


@dataclass(frozen=True)
class Answer:
    """`kind`: one of the words above. `code` and `said` are the provider's own; `retry_after` is in seconds."""

    kind: str
    reason: str = ""
    code: int | None = None
    said: str = ""
    retry_after: float | None = None


class Provider(Protocol):
    name: str
    is_throttled: bool
    channels: frozenset[str]  # email · sms · push: what it delivers

    def deliver(self, letters: Iterable[Letter], *, start_before: float) -> dict[str, Answer]:
        """Hand the letters over and wait for the answers, by `mid`. No request starts after `start_before` by
        time.monotonic(). `letters` may be a generator that is still writing the later ones. Does not raise for what
        happens to a letter; opens no transaction that is held while waiting for somebody else."""
