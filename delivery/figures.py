"""What the deliverability page shows, read from tallies and from what is open now: a constant number of statements,
none of which reads messages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from django.db import connection

from delivery import mailboxes, tallies
from delivery.webhooks import vocabulary

BOUNCES_LIMIT = 0.02  # of what was sent
COMPLAINTS_WATCH, COMPLAINTS_LIMIT = 0.001, 0.003  # of what was delivered: what Gmail and Yahoo ask of senders
LEAST_SAMPLE = 100  # messages below which a rate says nothing

_SUMS = """
    SELECT GROUPING(day, reason, receiving, sending), day, what, reason, receiving, sending, sum(n)::bigint
      FROM post_tallies
     WHERE day BETWEEN %(first)s AND %(last)s AND (%(channel)s = '' OR channel = %(channel)s)
     GROUP BY GROUPING SETS ((day, what), (reason, what), (receiving, what), (sending, what))
    HAVING sum(n) <> 0
"""
_BY_DAY, _BY_REASON, _BY_MAILBOX, _BY_SENDING = 0b0111, 0b1011, 0b1101, 0b1110


@dataclass(frozen=True)
class Counts:
    """How many messages met what."""

    met: Mapping[str, int] = field(default_factory=dict)

    def of(self, what: str) -> int:
        return self.met.get(what, 0)

    @property
    def sent(self) -> int:
        return self.of("accepted")

    @property
    def delivered(self) -> int:
        return self.of(vocabulary.DELIVERED)

    @property
    def bounced(self) -> int:
        return self.of(vocabulary.HARD_BOUNCE) + self.of(vocabulary.SOFT_BOUNCE)

    @property
    def complained(self) -> int:
        return self.of(vocabulary.COMPLAINED)

    @property
    def delivered_rate(self) -> float:
        return share(self.delivered, self.sent)

    @property
    def bounce_rate(self) -> float:
        return share(self.bounced, self.sent)

    @property
    def complaint_rate(self) -> float:
        return share(self.complained, self.delivered)

    @property
    def open_rate(self) -> float:
        return share(self.of(vocabulary.OPENED), self.delivered)

    @property
    def click_rate(self) -> float:
        return share(self.of(vocabulary.CLICKED), self.delivered)

    @property
    def machine_share(self) -> float:
        """Of all messages that were opened, those that a machine opened."""
        by_machines = self.of(tallies.MACHINE + vocabulary.OPENED)
        return share(by_machines, by_machines + self.of(vocabulary.OPENED))

    @property
    def bounces_are(self) -> str:
        return verdict(self.bounce_rate, BOUNCES_LIMIT, BOUNCES_LIMIT, self.sent)

    @property
    def complaints_are(self) -> str:
        return verdict(self.complaint_rate, COMPLAINTS_WATCH, COMPLAINTS_LIMIT, self.delivered)


@dataclass(frozen=True)
class Figures:
    """`reasons`: what -> why -> how many. `mailboxes` and `domains`: the largest first."""

    days: Sequence[date]
    total: Counts
    by_day: Mapping[date, Counts]
    reasons: Mapping[str, Mapping[str, int]]
    mailboxes: Sequence[tuple[str, Counts]]
    domains: Sequence[tuple[str, Counts]]


@dataclass(frozen=True)
class Open:
    """What is open now: messages in doubt and the oldest one's claim, bodies of webhooks that wait for folding, and
    reports that wait for a message that is not here."""

    in_doubt: int
    in_doubt_since: datetime | None
    webhooks: int
    webhooks_since: datetime | None
    parked: int
    parked_since: datetime | None


def share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def verdict(rate: float, watch: float, limit: float, sample: int) -> str:
    """good · warn · bad · plain (too few to tell)."""
    if sample < LEAST_SAMPLE:
        return "plain"
    if rate >= limit:
        return "bad"
    return "warn" if rate >= watch else "good"


def read(*, days: int, channel: str = "", now: datetime) -> Figures:
    """Of the last `days` days (UTC), today among them; `channel` empty: all of them. One statement."""
    last = tallies.day_of(now)
    span = [last - timedelta(days=days - 1 - n) for n in range(days)]
    with connection.cursor() as cursor:
        cursor.execute(_SUMS, {"first": span[0], "last": last, "channel": channel})
        rows = cursor.fetchall()
    by_day: dict[date, Counter[str]] = {day: Counter() for day in span}
    reasons: dict[str, Counter[str]] = {}
    receiving: dict[str, Counter[str]] = {}
    sending: dict[str, Counter[str]] = {}
    for group, day, what, reason, mailbox, domain, n in rows:
        if group == _BY_DAY:
            by_day[day][what] += n
        elif group == _BY_REASON:
            reasons.setdefault(what, Counter())[reason] += n
        elif group == _BY_MAILBOX:
            receiving.setdefault(mailbox, Counter())[what] += n
        else:
            sending.setdefault(domain, Counter())[what] += n
    return Figures(
        days=span,
        total=Counts(sum(by_day.values(), Counter())),
        by_day={day: Counts(met) for day, met in by_day.items()},
        reasons=reasons,
        mailboxes=[(mailboxes.name(name), counts) for name, counts in _largest(receiving)],
        domains=_largest(sending),
    )


def _largest(found: Mapping[str, Counter[str]]) -> list[tuple[str, Counts]]:
    """Those that something was sent from or to; what has no name (another channel) has no place in a table of them."""
    counts = [(name, Counts(met)) for name, met in found.items() if name]
    return sorted(counts, key=lambda each: (each[0] == mailboxes.OTHER, -each[1].sent, each[0]))


def of_domains(domains: Sequence[str], *, since: date) -> dict[str, Counts]:
    """What mail from each of these domains met since that day. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sending, what, sum(n)::bigint FROM post_tallies WHERE sending = ANY(%s) AND day >= %s"
            " GROUP BY 1, 2",
            [list(domains), since],
        )
        met: dict[str, dict[str, int]] = {domain: {} for domain in domains}
        for domain, what, n in cursor.fetchall():
            met[domain][what] = n
    return {domain: Counts(each) for domain, each in met.items()}


def open_now() -> Open:
    """One statement, over rows that are few because they are open."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT d.*, w.*, p.* FROM
                (SELECT count(*), min(claimed_at) FROM outbox WHERE state = 'in_doubt') d,
                (SELECT count(*), min(received_at) FROM webhook_inbox WHERE folded_at IS NULL) w,
                (SELECT count(*), min(parked_at) FROM parked_reports) p
            """
        )
        return Open(*cursor.fetchone())
