"""DMARC (RFC 7489): the policy that holds for a domain, its own or that of a domain above it."""

from __future__ import annotations

from dataclasses import dataclass

from delivery.preflight.dns import Resolver
from delivery.preflight.tags import tags_of

POLICIES = ("none", "quarantine", "reject")
MOST_STEPS = 8  # up the tree


@dataclass(frozen=True)
class Dmarc:
    """`state`: found · none · broken · unknown. `at`: the domain whose record it is. `policy` holds for the domain that
    was asked about; `strict_dkim`: only a signature by exactly that domain counts."""

    state: str
    at: str = ""
    record: str = ""
    policy: str = ""
    reports_to: str = ""
    strict_dkim: bool = False
    percent: str = "100"


def read(domain: str, resolver: Resolver) -> Dmarc:
    """Never raises. The top-level domain itself is not asked."""
    labels = domain.split(".")
    for step in range(min(MOST_STEPS, max(1, len(labels) - 1))):
        at = ".".join(labels[step:])
        answer = resolver.ask(f"_dmarc.{at}", "TXT")
        if not answer.is_known:
            return Dmarc("unknown", at)
        records = [text for text in answer.records if tags_of(text).get("v", "").upper() == "DMARC1"]
        if len(records) == 1:
            return _parsed(domain, at, records[0])
        if records:
            return Dmarc("broken", at, records[0])
    return Dmarc("none")


def _parsed(domain: str, at: str, record: str) -> Dmarc:
    tags = tags_of(record)
    policy = tags.get("p", "").lower()
    if at != domain:
        policy = tags.get("sp", policy).lower()
    state = "found" if policy in POLICIES else "broken"
    return Dmarc(
        state, at, record, policy, tags.get("rua", ""), tags.get("adkim", "r").lower() == "s", tags.get("pct", "100")
    )
