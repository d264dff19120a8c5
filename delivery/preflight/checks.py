"""The checks of a sending domain: what the DNS says of it, what that means, and how to mend it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.conf import settings

from delivery import providers
from delivery.preflight import dkim, dmarc, own, spf
from delivery.preflight.dns import FOUND, NONE, Resolver
from delivery.preflight.verdicts import BAD, GOOD, UNKNOWN, WARN, Check

ASK_AGAIN = "Check again in a few minutes; if it stays so, ask whoever runs the DNS of the domain."


def run(domain: str, *, resolver: Resolver, now: datetime) -> list[Check]:
    """All of them. Never raises for what the DNS says; opens no transaction."""
    keys = dkim.read(domain, selectors(), resolver)
    policy = dmarc.read(domain, resolver)
    return [
        of_spf(domain, spf.read(domain, resolver)),
        of_dkim(keys),
        of_dmarc(domain, policy, keys),
        of_mx(domain, resolver),
        Check("ptr", UNKNOWN, "These belong to the servers of the provider and cannot be seen from here."),
        *own.checks(domain, now=now),
    ]


def selectors() -> tuple[str, ...]:
    """Those of DKIM_SELECTORS, else those that the providers in use usually sign under."""
    if settings.DKIM_SELECTORS:
        return tuple(dict.fromkeys(settings.DKIM_SELECTORS))
    known = providers.entries()
    used = [known[name] for name in providers.names("email") if name in known]
    return tuple(dict.fromkeys(selector for entry in used for selector in entry.dkim_selectors))


def includes() -> tuple[str, ...]:
    """What the SPF records of senders through the providers in use name."""
    known = providers.entries()
    used = [known[name] for name in providers.names("email") if name in known]
    return tuple(dict.fromkeys(entry.spf_include for entry in used if entry.spf_include))


def of_spf(domain: str, found: spf.Spf) -> Check:
    suggested = " ".join(f"include:{name}" for name in includes()) or "include:<your provider>"
    example = f"Publish one TXT record at {domain}: v=spf1 {suggested} ~all"
    if found.unknown and not found.record:
        return Check("spf", UNKNOWN, "The DNS did not answer.", ASK_AGAIN)
    if not found.record:
        return Check("spf", BAD, "There is no SPF record.", example)
    if found.faults:
        said = f"Receivers will not accept the record: {'; '.join(found.faults[:3])}."
        return Check(
            "spf", BAD, said, "Take out what is not used any more, or have the provider flatten it.", found.record
        )
    if found.all == "pass":
        return Check(
            "spf", BAD, "It lets everybody send in your name (+all).", "End it with ~all or -all.", found.record
        )
    if found.unknown:
        return Check("spf", UNKNOWN, "A part of it could not be looked up.", ASK_AGAIN, found.record)
    taken = f"It takes {found.lookups} of {spf.MOST_LOOKUPS} look-ups"
    if found.all in {"", "neutral"}:
        said = f"{taken}, and does not say what becomes of everybody else."
        return Check("spf", WARN, said, "End it with ~all or -all.", found.record)
    missing = [name for name in includes() if name not in found.includes]
    if missing:
        said = f"{taken}, and does not name {missing[0]}."
        fix = "Right if the provider sends with a return path below this domain; else add include:" + missing[0] + "."
        return Check("spf", WARN, said, fix, found.record)
    return Check("spf", GOOD, f"{taken} and ends with {found.all}.", found=found.record)


def of_dkim(keys: Sequence[dkim.Key]) -> Check:
    if not keys:
        return Check("dkim", UNKNOWN, "It is not known under which selector mail is signed.", "Set DKIM_SELECTORS.")
    told = "; ".join(key.said for key in keys)
    there = [key for key in keys if key.state == "found"]
    if not there:
        if any(key.state == "unknown" for key in keys):
            return Check("dkim", UNKNOWN, "The DNS did not answer.", ASK_AGAIN, told)
        names = " and ".join(key.selector for key in keys[:4])
        fix = "Publish the keys that the provider shows for this domain, or set DKIM_SELECTORS to those it signs under."
        return Check("dkim", BAD, f"There is no usable key under {names}.", fix, told)
    weak = [key for key in there if key.kind == "rsa" and key.bits < dkim.LONG_ENOUGH]
    if any(key.bits < dkim.SHORT for key in weak):
        return Check("dkim", BAD, "A key is too short to be trusted.", "Have the provider make one of 2048 bits.", told)
    if weak:
        return Check(
            "dkim", WARN, "A key is shorter than it should be.", "Have the provider make one of 2048 bits.", told
        )
    return Check("dkim", GOOD, f"{len(there)} usable {'key' if len(there) == 1 else 'keys'}.", found=told)


def of_dmarc(domain: str, found: dmarc.Dmarc, keys: Sequence[dkim.Key]) -> Check:
    example = f"Publish a TXT record at _dmarc.{domain}: v=DMARC1; p=none; rua=mailto:dmarc@{domain}"
    if found.state == "unknown":
        return Check("dmarc", UNKNOWN, "The DNS did not answer.", ASK_AGAIN)
    if found.state == "none":
        return Check("dmarc", BAD, "There is no DMARC record; Gmail and Yahoo ask for one.", example)
    if found.state == "broken":
        return Check(
            "dmarc", BAD, "Receivers cannot read the record, or there is more than one.", example, found.record
        )
    where = "" if found.at == domain else f", by the record of {found.at}"
    held = f"The policy is {found.policy}{where}."
    if any(key.state == "found" for key in keys):
        aligned = f"Mail signed by {domain} is aligned{' strictly' if found.strict_dkim else ''}."
    else:
        aligned = "No key of this domain was found, so nothing proves that mail is aligned with it."
    if not found.reports_to:
        fix = "Add rua=mailto:… to hear who sends in your name."
        return Check("dmarc", WARN, f"{held} {aligned} Nobody gets the reports.", fix, found.record)
    if found.policy == "none":
        fix = "Once the reports show only your own mail, go on to p=quarantine, then to p=reject."
        return Check("dmarc", WARN, f"{held} {aligned} Forged mail is let through.", fix, found.record)
    if not any(key.state == "found" for key in keys):
        return Check("dmarc", WARN, f"{held} {aligned}", "See DKIM above.", found.record)
    return Check("dmarc", GOOD, f"{held} {aligned}", found=found.record)


def of_mx(domain: str, resolver: Resolver) -> Check:
    answer = resolver.ask(domain, "MX")
    if not answer.is_known:
        return Check("mx", UNKNOWN, "The DNS did not answer.", ASK_AGAIN)
    fix = "Let the domain take mail: replies and reports go there."
    if answer.kind == NONE:
        return Check("mx", WARN, "The domain takes no mail: it has no MX record.", fix)
    hosts = [record.partition(" ")[2] for record in answer.records]
    if answer.kind == FOUND and all(host in {".", ""} for host in hosts):
        said = "The domain says that it takes no mail (null MX); some receivers refuse what comes from such a domain."
        return Check("mx", BAD, said, fix, "; ".join(answer.records))
    return Check("mx", GOOD, "The domain takes mail.", found="; ".join(answer.records))
