"""May this message go out now? Pure: what was read under the locks goes in, a verdict with its reason comes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from delivery.caps import Cap, Sent, Soon, places
from delivery.quiet_hours import REASON, Quiet

ALL = "all"
CAP = "frequency_cap"


@dataclass(frozen=True)
class Candidate:
    """A due message. `address_id` None: its contact has no address that mail can be sent to. `quiet`: its quiet hours,
    if they are now where the contact is."""

    message_id: int
    contact_id: int
    address_id: int | None
    channel: str
    message_class: str
    topic: str
    priority: int
    override_cap: bool
    quiet: Quiet | None = None

    @property
    def is_held_by_quiet_hours(self) -> bool:
        return self.quiet is not None and self.message_class == "marketing"

    @property
    def is_capped(self) -> bool:
        """Where its channel has a cap at all."""
        return self.message_class == "marketing" and not self.override_cap


@dataclass(frozen=True)
class Standing:
    """A suppression that holds now."""

    scope: str
    reason: str


@dataclass(frozen=True)
class Known:
    """What was read under the locks.

    `denied`: the (contact, topic, channel) triples whose marketing consent is missing. `waiting`: everything capped
    that is due for the candidates' contacts by their channel, in all lanes, the candidates included. `channels`: those
    that the provider serves. `last_suppression` of an address (released ones, too) and `last_consent` of a triple: the
    youngest record that was looked at, as evidence of what was known."""

    suppressions: Mapping[int, Sequence[Standing]] = field(default_factory=dict)
    denied: AbstractSet[tuple[int, str, str]] = frozenset()
    sent: Mapping[int, Sent] = field(default_factory=dict)
    waiting: Sequence[Candidate] = ()
    channels: AbstractSet[str] = frozenset({"email"})
    last_suppression: Mapping[int, int] = field(default_factory=dict)
    last_consent: Mapping[tuple[int, str, str], int] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    """`kind`: claimed · suppressed · capped · rejected · deferred (`until` then). `evidence`: what was read."""

    message_id: int
    kind: str
    reason: str = ""
    cap_delta: int = 0
    evidence: Mapping[str, Any] = field(default_factory=dict)
    until: datetime | None = None


def refusal(candidate: Candidate, known: Known) -> Verdict | None:
    """Why it must not go out at all, whatever the cap says; None: nothing is in its way."""
    is_marketing = candidate.message_class == "marketing"
    if candidate.channel not in known.channels:
        return Verdict(candidate.message_id, "rejected", "no_provider", evidence={"channel": candidate.channel})
    if candidate.address_id is None:
        return Verdict(candidate.message_id, "suppressed", "no_address")
    for standing in known.suppressions.get(candidate.address_id, ()):
        if standing.scope == ALL or (is_marketing and standing.scope in {candidate.channel, candidate.topic}):
            return Verdict(candidate.message_id, "suppressed", standing.reason, evidence={"scope": standing.scope})
    if is_marketing and (candidate.contact_id, candidate.topic, candidate.channel) in known.denied:
        return Verdict(candidate.message_id, "suppressed", "consent", evidence={"topic": candidate.topic})
    return None


def decide(candidates: Sequence[Candidate], known: Known, *, caps: Mapping[int, Cap]) -> list[Verdict]:
    """One verdict for each candidate, in their order. `caps` has every contact of a capped candidate, or none where
    nothing is capped. A claim's evidence names the records of consent and suppression that it was decided on."""
    lines, order = _lines(known)
    verdicts = []
    for candidate in candidates:
        refused = refusal(candidate, known)
        if refused is not None:
            verdicts.append(refused)
        elif candidate.quiet is not None and candidate.is_held_by_quiet_hours:
            verdicts.append(_in_quiet_hours(candidate, candidate.quiet))
        elif candidate.is_capped and caps:
            sent = known.sent.get(candidate.contact_id, Sent())
            line, place = lines[candidate.contact_id], order[candidate.message_id]
            verdicts.append(_within_cap(candidate, caps[candidate.contact_id], sent, place, line))
        else:
            verdicts.append(Verdict(candidate.message_id, "claimed", evidence={"cap_exempt": _why_exempt(candidate)}))
    return [
        replace(verdict, evidence={**verdict.evidence, **_decided_on(candidate, known)})
        if verdict.kind == "claimed"
        else verdict
        for candidate, verdict in zip(candidates, verdicts, strict=True)
    ]


def _why_exempt(candidate: Candidate) -> str:
    if candidate.message_class == "transactional":
        return "transactional"
    return "override" if candidate.override_cap else "no_cap"


def _decided_on(candidate: Candidate, known: Known) -> dict[str, int]:
    """Absent: there was none."""
    found = {
        "consent": known.last_consent.get((candidate.contact_id, candidate.topic, candidate.channel)),
        "suppression": known.last_suppression.get(candidate.address_id or 0),
    }
    return {name: record_id for name, record_id in found.items() if record_id is not None}


def _in_quiet_hours(candidate: Candidate, quiet: Quiet) -> Verdict:
    evidence = {"until": quiet.until.isoformat(), "zone": quiet.zone}
    if quiet.policy == "skip":
        return Verdict(candidate.message_id, "suppressed", REASON, evidence=evidence)
    return Verdict(candidate.message_id, "deferred", REASON, evidence=evidence, until=quiet.until)


def _within_cap(candidate: Candidate, cap: Cap, sent: Sent, place_in_line: int, line: Sequence[int]) -> Verdict:
    """`ahead` in the evidence of a refusal: the messages that the places go to which are free now."""
    evidence: dict[str, Any] = {
        "per_day": cap.per_day,
        "per_week": cap.per_week,
        "sent_day": sent.day,
        "sent_week": sent.week,
        "place_in_line": place_in_line,
    }
    left = places(cap, sent)
    if left is None or place_in_line <= left:
        return Verdict(candidate.message_id, "claimed", cap_delta=1, evidence=evidence)
    if left:
        evidence |= {"ahead": list(line[:left])}
    if sent.soon is not None and _has_place(place_in_line, cap, sent.soon):
        evidence |= {"until": sent.soon.at.isoformat()}
        return Verdict(candidate.message_id, "deferred", CAP, evidence=evidence, until=sent.soon.at)
    return Verdict(candidate.message_id, "capped", CAP, evidence=evidence)


def _has_place(place_in_line: int, cap: Cap, then: Soon) -> bool:
    left = places(cap, then)
    return left is None or place_in_line <= left


def _lines(known: Known) -> tuple[dict[int, list[int]], dict[int, int]]:
    """Contact id -> the messages in its line, by priority and then by age; and message id -> 1 for the first in its
    line. Those that may not go out anyway stand in nobody's way."""
    lines: dict[int, list[int]] = {}
    order: dict[int, int] = {}
    for waiting in sorted(known.waiting, key=lambda each: (-each.priority, each.message_id)):
        if refusal(waiting, known) is None and not waiting.is_held_by_quiet_hours:
            line = lines.setdefault(waiting.contact_id, [])
            line.append(waiting.message_id)
            order[waiting.message_id] = len(line)
    return lines, order
