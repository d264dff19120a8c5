"""SPF (RFC 7208) as receivers work it out: how many look-ups it costs, what is included, and what becomes of the rest.
Whom it allows is not asked: that depends on the address of whoever sends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from delivery.preflight.dns import FOUND, NONE, Resolver

MOST_LOOKUPS = 10  # beyond, receivers answer "permerror", which is as good as none
FOLLOWED = 25  # look-ups that we follow ourselves, to say by how much there are too many
_ASKING = ("include", "a", "mx", "ptr", "exists")
_QUALIFIERS = {"+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}


@dataclass
class Spf:
    """`all`: pass · fail · softfail · neutral; empty: the record says nothing about everybody else. `faults`: sentences
    about what receivers will not accept. `unknown`: the DNS did not answer everything."""

    record: str = ""
    records: int = 0
    lookups: int = 0
    includes: list[str] = field(default_factory=list)
    all: str = ""
    faults: list[str] = field(default_factory=list)
    unknown: bool = False


def read(domain: str, resolver: Resolver) -> Spf:
    """Never raises, ends however the records point at each other."""
    found = Spf()
    records, known = _records(domain, resolver)
    if not known:
        found.unknown = True
        return found
    found.records = len(records)
    if not records:
        return found
    found.record = records[0]
    if len(records) > 1:
        found.faults.append(f"there are {len(records)} SPF records, and receivers take none of them")
    found.all = _follow(domain, records[0], resolver, found, [domain.lower()])
    if found.lookups > MOST_LOOKUPS:
        found.faults.append(f"it takes {_count(found.lookups)} look-ups, and receivers stop after {MOST_LOOKUPS}")
    return found


def _count(lookups: int) -> str:
    return f"more than {FOLLOWED - 1}" if lookups >= FOLLOWED else str(lookups)


def _records(domain: str, resolver: Resolver) -> tuple[list[str], bool]:
    answer = resolver.ask(domain, "TXT")
    if not answer.is_known:
        return [], False
    return [text for text in answer.records if text.lower() == "v=spf1" or text.lower().startswith("v=spf1 ")], True


def _follow(domain: str, record: str, resolver: Resolver, found: Spf, way: Sequence[str]) -> str:
    """The qualifier of `all` in the record, or in the one that it redirects to."""
    redirect, everybody = "", ""
    for term in record.split()[1:]:
        if found.lookups >= FOLLOWED:
            return everybody
        name, _, value = term.partition("=") if "=" in term.split(":")[0] else (term, "", "")
        if value:
            redirect = value if name.lower() == "redirect" else redirect
            continue
        qualifier = term[0] if term[0] in _QUALIFIERS else "+"
        mechanism, _, about = term.lstrip("+-~?").partition(":")
        mechanism = mechanism.split("/")[0].lower()
        if mechanism == "all":
            return _QUALIFIERS[qualifier]  # what stands behind it is never looked at
        if mechanism in _ASKING:
            found.lookups += 1
        elif mechanism not in {"ip4", "ip6"}:
            found.faults.append(f"receivers do not know {term[:60]!r}, and take the whole record for an error")
        if mechanism == "include":
            _include(about, resolver, found, way)
    if redirect and not everybody:
        found.lookups += 1
        return _into(redirect, "redirect", resolver, found, way)
    return everybody


def _include(target: str, resolver: Resolver, found: Spf, way: Sequence[str]) -> None:
    if target and target.lower() not in found.includes:
        found.includes.append(target.lower().rstrip("."))
    _into(target, "include", resolver, found, way)


def _into(target: str, by: str, resolver: Resolver, found: Spf, way: Sequence[str]) -> str:
    name = target.lower().rstrip(".")
    if not name or "%" in name:  # a macro: what it becomes depends on the mail
        return ""
    if name in way:
        found.faults.append(f"{by} of {name[:100]} leads back to where it came from")
        return ""
    answer = resolver.ask(name, "TXT")
    if answer.kind not in {FOUND, NONE}:
        found.unknown = True
        return ""
    records, _ = _records(name, resolver)
    if not records:
        found.faults.append(f"{by} of {name[:100]} leads to no SPF record")
        return ""
    return _follow(name, records[0], resolver, found, [*way, name])
