"""What providers tell in the drill `webhook_fold`, and what must follow of it: a fold of the set, worked out here from
what was told and from nothing else, least of all from the order in which it came. Pure."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

DAY = 86_400
SPREAD_DAYS = 60  # back from now, over which it all happened
SOFT_BOUNCES, WINDOW_DAYS = 5, 30  # so many within so long, with no delivery among them, wear an address out


@dataclass(frozen=True)
class Mail:
    """A message in the ledger. `is_doubtful`: nobody knows whether the provider has it."""

    id: int
    mid: str
    contact_id: int
    address: str
    is_doubtful: bool


@dataclass(frozen=True)
class Thing:
    """A thing that may happen to a mail: SendGrid's words for it, our kind, and the suppression (scope, reason) that
    follows."""

    event: str
    kind: str
    more: dict[str, Any] = field(default_factory=dict)
    is_machine: bool = False
    follows: tuple[str, str] | None = None


PROCESSED, DELIVERED = Thing("processed", "processed"), Thing("delivered", "delivered")
DEFERRED = Thing("deferred", "deferred")
OPENED, FETCHED = Thing("open", "opened"), Thing("open", "opened", {"sg_machine_open": True}, is_machine=True)
CLICKED = Thing("click", "clicked", {"url": "https://a.example/offer"})
BLOCKED = Thing("bounce", "soft_bounce", {"type": "blocked", "reason": "mailbox full"})
GONE = Thing("bounce", "hard_bounce", {"type": "bounce"}, follows=("all", "hard_bounce"))
COMPLAINED = Thing("spamreport", "complained", follows=("all", "complaint"))
LEFT = Thing("unsubscribe", "unsubscribed", follows=("email", "unsubscribe"))
LISTED = Thing("dropped", "rejected", {"reason": "Bounced Address"}, follows=("all", "hard_bounce"))
REFUSED = Thing("dropped", "rejected", {"reason": "Spam Content"})
HISTORIES: Sequence[tuple[float, Sequence[Thing]]] = (
    (6, (PROCESSED, DELIVERED, FETCHED, OPENED, OPENED, CLICKED)),
    (4, (PROCESSED, DEFERRED, DELIVERED)),
    (2, (DELIVERED, OPENED)),
    (1, (PROCESSED, GONE)),
    (0.5, (DELIVERED, OPENED, COMPLAINED)),
    (0.5, (DELIVERED, LEFT)),
    (0.3, (LISTED,)),
    (0.5, (REFUSED,)),
    (0.5, ()),
)
EVENT_TYPES = {
    "deferred": "email_deferred", "delivered": "email_delivered", "rejected": "email_rejected",
    "soft_bounce": "email_bounced", "hard_bounce": "email_bounced", "opened": "email_opened",
    "clicked": "email_clicked", "complained": "email_complained", "unsubscribed": "email_unsubscribed",
}  # fmt: skip


@dataclass(frozen=True)
class Told:
    """One thing that happened to one mail. `by`: the provider that tells it. `at`: Unix seconds."""

    mail: Mail
    thing: Thing
    at: int
    by: str

    def as_sendgrid(self) -> dict[str, Any]:
        return {
            "email": self.mail.address,
            "timestamp": self.at,
            "event": self.thing.event,
            "mid": self.mail.mid,
            **self.thing.more,
        }

    def as_resend(self) -> dict[str, Any]:
        """Of a delivery: the only thing that the drill has Resend tell."""
        headers = [{"name": "X-Metadata", "value": f'{{"mid": "{self.mail.mid}"}}'}]
        data = {"email_id": f"resend-{self.mail.id}", "to": [self.mail.address], "headers": headers}
        return {
            "type": "email.delivered",
            "created_at": datetime.fromtimestamp(self.at, UTC).isoformat(),
            "data": data,
        }


def everything(mails: Sequence[Mail], *, now: int, seed: int) -> list[Told]:
    """All that happened: to the mails of every third contact soft bounces with some deliveries among them, to the
    others what happens to mail. No two things of one contact at the same instant."""
    dice = random.Random(f"{seed}:reports")
    of_contact: dict[int, list[Mail]] = {}
    for mail in mails:
        of_contact.setdefault(mail.contact_id, []).append(mail)
    told: list[Told] = []
    for contact_id, theirs in sorted(of_contact.items()):
        happened = [(mail, thing) for mail in theirs for thing in _history(dice, contact_id)]
        instants = iter(dice.sample(range(now - SPREAD_DAYS * DAY, now - 60), len(happened)))
        for mail, thing in happened:
            by = "resend" if thing == DELIVERED and mail.id % 5 == 0 else "sendgrid"
            told.append(Told(mail, thing, next(instants), by))
    return told


def _history(dice: random.Random, contact_id: int) -> Sequence[Thing]:
    if contact_id % 3 == 0:
        return dice.choices([(BLOCKED,), (DELIVERED,), ()], [0.8, 0.15, 0.05])[0]
    weights, histories = zip(*HISTORIES, strict=True)
    return dice.choices(histories, weights)[0]


@dataclass(frozen=True)
class Fold:
    """What must be there in the end. `feedback`: (mid, kind, by a machine, Unix seconds), each once. `states`: by mid.
    `suppressed`: (address, scope, reason). `events`: by contact and type. `tallies`: mails by what they met."""

    feedback: Counter[tuple[str, str, bool, int]]
    states: dict[str, str]
    suppressed: set[tuple[str, str, str]]
    events: Counter[tuple[int, str]]
    tallies: Counter[str]


def fold(mails: Sequence[Mail], told: Sequence[Told]) -> Fold:
    heard_of = {each.mail.mid for each in told}
    return Fold(
        feedback=Counter((t.mail.mid, t.thing.kind, t.thing.is_machine, t.at) for t in told),
        states={
            mail.mid: "in_doubt" if mail.is_doubtful and mail.mid not in heard_of else "accepted" for mail in mails
        },
        suppressed={(t.mail.address, *t.thing.follows) for t in told if t.thing.follows} | set(_worn_out(told)),
        events=Counter(
            [(t.mail.contact_id, EVENT_TYPES[t.thing.kind]) for t in told if t.thing.kind in EVENT_TYPES]
            + [(mail.contact_id, "email_sent") for mail in mails if mail.is_doubtful and mail.mid in heard_of]
        ),
        tallies=Counter(what for _, what in {(t.mail.mid, _counted_as(t.thing)) for t in told}),
    )


def _counted_as(thing: Thing) -> str:
    return f"machine_{thing.kind}" if thing.is_machine else thing.kind


def _worn_out(told: Sequence[Told]) -> Iterator[tuple[str, str, str]]:
    """For each bounce: how many were there in the month up to it, since the last delivery before it?"""
    bounces: dict[str, list[int]] = {}
    deliveries: dict[str, list[int]] = {}
    for each in told:
        if each.thing.kind in ("soft_bounce", "delivered"):
            (bounces if each.thing.kind == "soft_bounce" else deliveries).setdefault(each.mail.address, []).append(
                each.at
            )
    for address, bounced in bounces.items():
        for last in bounced:
            since = max([at for at in deliveries.get(address, []) if at < last], default=0)
            run = [at for at in bounced if max(since, last - WINDOW_DAYS * DAY) < at <= last]
            if len(run) >= SOFT_BOUNCES:
                yield address, "email", "soft_bounce"
                break
