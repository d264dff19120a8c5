"""What every provider is: letters go in, one answer for each comes out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from delivery.webhooks.base import Vendor

ACCEPTED = "accepted"  # the provider has taken it
REJECTED = "rejected"  # it will never take this one
RETRY = "retry"  # it did not take it, and may later
NOT_STARTED = "not_started"  # it was not asked
IN_DOUBT = "in_doubt"  # it may have taken it, and did not say
STOP = "stop"  # it takes nothing from us: our key or our account is at fault, not the message


AUTO_SUBMITTED = "Auto-Submitted"  # RFC 3834: mail of a program to those who run it; no holiday notice answers it


@dataclass(frozen=True)
class Attachment:
    """A file in a mail: `content_type` without parameters, `text` goes as UTF-8."""

    name: str
    content_type: str
    text: str


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
    message_class: str = "transactional"  # · marketing: some providers send each from addresses of its own
    may_be_tracked: bool = True  # False: the contact said no; a provider that counts opens and clicks is told not to
    attachments: Sequence[Attachment] = ()  # of mail to those who work here only


@dataclass(frozen=True)
class Answer:
    """`kind`: one of the words above. `code` and `said` are the provider's own; `retry_after` is in seconds.
    `consequence`: the scope and reason for which the address is to be suppressed, where the answer says so."""

    kind: str
    reason: str = ""
    code: int | None = None
    said: str = ""
    retry_after: float | None = None
    consequence: tuple[str, str] | None = None


class Writing(Iterator[Letter]):
    """Letters that are still being written, and an ear: `tell` may be called, by whoever iterates and as often as it
    likes, with answers that came before all of them were there. Those need not be given again at the end. `awaited`:
    the `mid`s that somebody waits to see the end of; with an answer to one of them one does not wait for the others,
    and those among them that were never asked for have ended."""

    def __init__(
        self,
        letters: Iterator[Letter],
        tell: Callable[[Mapping[str, Answer]], None],
        awaited: Callable[[], AbstractSet[str]] = frozenset,
    ) -> None:
        self._letters, self.tell, self.awaited = letters, tell, awaited

    def __next__(self) -> Letter:
        return next(self._letters)


class Provider:
    """What a provider is asked. `name` as in the settings; `channels`: of email, sms and push those that it delivers.

    `is_throttled`: its calls keep to ESP_RATE_LIMIT. `does_track`: it reports opens and clicks by itself; where it does
    not, links and a picture of ours do. `repeats_within`: seconds for which it knows a second request for the same
    `mid` and does nothing (None: it does not know).
    `can_look_up`: it can be asked what became of a message. `marks_starts`: it calls `delivery.starts.start` before
    anything of a letter leaves, so that what was not marked certainly did not."""

    name: str = ""
    is_throttled: bool = True
    channels: frozenset[str] = frozenset({"email"})
    does_track: bool = False
    repeats_within: float | None = None
    can_look_up: bool = False
    marks_starts: bool = False

    def deliver(self, letters: Iterable[Letter], *, start_before: float) -> dict[str, Answer]:
        """Hand the letters over and wait for the answers, by `mid`. No request starts after `start_before` by
        time.monotonic(). `letters` may be a generator that is still writing the later ones. Does not raise for what
        happens to a letter; opens no transaction that is held while waiting for somebody else. Where `letters` is
        `Writing`, answers may be told early."""
        raise NotImplementedError

    def look_up(self, mids: Sequence[str]) -> dict[str, Answer]:
        """What the provider knows of messages in doubt, by `mid`: ACCEPTED, or REJECTED, or RETRY where it says for
        certain that it never got them. Those of which it says nothing are absent. Does not raise."""
        return {}


@dataclass(frozen=True)
class Entry:
    """What a folder says of a provider. `title`: as it calls itself. `make`: None for one that only reports. `vendor`:
    its webhook, if it has any. `needed`: settings without which it cannot send; `advised`: settings without which its
    reports are refused. `proof`: in a sentence, how it shows that a report is its own; `proved_by`: the settings which
    that takes, where it is none of `advised`.
    `spf_include`: what an SPF record names to let it send; `dkim_selectors`: under which it usually signs."""

    name: str
    make: Callable[[], Provider] | None = None
    vendor: Vendor | None = None
    channels: frozenset[str] = frozenset({"email"})
    needed: tuple[str, ...] = ()
    advised: tuple[str, ...] = ()
    spf_include: str = ""
    dkim_selectors: tuple[str, ...] = ()
    proof: str = ""
    proved_by: tuple[str, ...] = ()
    title: str = ""

    def joined(self, other: Entry) -> Entry:
        """What two folders say of one provider, together: one sends, the other reports. Raises ImproperlyConfigured
        where both do the same."""
        if (self.make and other.make) or (self.vendor and other.vendor):
            raise ImproperlyConfigured(f"two folders of delivery.providers do the same for {self.name!r}")
        sender = self if self.make else other
        return Entry(
            self.name,
            self.make or other.make,
            self.vendor or other.vendor,
            channels=sender.channels,
            needed=tuple(dict.fromkeys((*self.needed, *other.needed))),
            advised=tuple(dict.fromkeys((*self.advised, *other.advised))),
            spf_include=self.spf_include or other.spf_include,
            dkim_selectors=tuple(dict.fromkeys((*self.dkim_selectors, *other.dkim_selectors))),
            proof=self.proof or other.proof,
            proved_by=tuple(dict.fromkeys((*self.proved_by, *other.proved_by))),
            title=self.title or other.title,
        )


def setting(name: str, default: str = "") -> str:
    """A setting that only this provider's folder knows: from the settings module if it is there, else NAME or NAME_FILE
    of the environment."""
    known = getattr(settings, name, None)
    return str(settings.READ_SETTING(name, default) if known is None else known)
