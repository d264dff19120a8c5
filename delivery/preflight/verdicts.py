"""What a check comes to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

GOOD, WARN, BAD, UNKNOWN = "good", "warn", "bad", "unknown"
ORDER = (BAD, WARN, UNKNOWN, GOOD)  # the worst first
TITLES: Mapping[str, str] = {
    "spf": "SPF",
    "dkim": "DKIM",
    "dmarc": "DMARC",
    "mx": "MX",
    "ptr": "PTR and TLS",
    "one_click": "One-click unsubscribe",
    "postal_address": "Postal address",
    "public_url": "Public address of this installation",
    "complaints": "Complaint rate",
}
MOST_KEPT = 600  # characters of what the DNS said


@dataclass(frozen=True)
class Check:
    """`verdict`: good · warn (it works, and could be better) · bad (mail will be refused or marked as spam) · unknown.
    `said`: what is the case. `fix`: what to do about it, empty where nothing is to be done. `found`: the record."""

    name: str
    verdict: str
    said: str
    fix: str = ""
    found: str = ""

    def kept(self) -> dict[str, str]:
        """As it is stored, under its name."""
        return {key: value[:MOST_KEPT] for key, value in asdict(self).items() if key != "name"}

    @property
    def title(self) -> str:
        return TITLES.get(self.name, self.name)


def stored(checks: object) -> list[Check]:
    """What was stored, in the order of TITLES; what cannot be read is left out."""
    known = checks if isinstance(checks, dict) else {}
    found = [(name, known[name]) for name in TITLES if isinstance(known.get(name), dict)]
    return [
        Check(name, *(str(each.get(part, "")) for part in ("verdict", "said", "fix", "found"))) for name, each in found
    ]


def worst(checks: list[Check]) -> str:
    """The verdict on the domain; what cannot be known of it is no blemish."""
    for verdict in (BAD, WARN):
        if any(check.verdict == verdict for check in checks):
            return verdict
    return GOOD if any(check.verdict == GOOD for check in checks) else UNKNOWN
