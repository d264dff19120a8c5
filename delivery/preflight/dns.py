"""Asking the DNS: within limits of time and size, and without ever raising. What it says was written by others."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol

import dns.exception
import dns.name
import dns.rdatatype
import dns.resolver
from django.conf import settings

ASK_SECONDS = 2.0  # for one question
ALL_SECONDS = 8.0  # for all questions about a domain
MOST_RECORDS, MOST_CHARACTERS = 40, 8_000
FOUND, NONE, TIMEOUT, FAILED = "found", "none", "timeout", "failed"


@dataclass(frozen=True)
class Answer:
    """`kind`: found · none (no such name, or none of this type) · timeout · failed (the servers refuse or fail)."""

    kind: str
    records: tuple[str, ...] = ()

    @property
    def is_known(self) -> bool:
        return self.kind in {FOUND, NONE}


class Resolver(Protocol):
    def ask(self, name: str, kind: str) -> Answer:
        """Records of that type (TXT: their strings joined; MX: `preference host`). Never raises."""


class Dns:
    """The servers of this machine, or those of DNS_SERVERS. Asks each question once, and none after ALL_SECONDS."""

    def __init__(self) -> None:
        self._until = time.monotonic() + ALL_SECONDS
        self._known: dict[tuple[str, str], Answer] = {}

    def ask(self, name: str, kind: str) -> Answer:
        key = (name.lower(), kind)
        if key not in self._known:
            self._known[key] = self._ask(name, kind)
        return self._known[key]

    def _ask(self, name: str, kind: str) -> Answer:
        left = self._until - time.monotonic()
        if left <= 0:
            return Answer(TIMEOUT)
        try:
            answer = _servers().resolve(_wire(name), kind, search=False, lifetime=min(ASK_SECONDS, left))
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return Answer(NONE)
        except dns.exception.Timeout:
            return Answer(TIMEOUT)
        except (dns.exception.DNSException, OSError, ValueError):
            return Answer(FAILED)
        records = [_text(each) for each in list(answer)[:MOST_RECORDS]]
        return Answer(FOUND, tuple(record[:MOST_CHARACTERS] for record in records))


def _servers() -> dns.resolver.Resolver:
    resolver = dns.resolver.Resolver(configure=not settings.DNS_SERVERS)
    if settings.DNS_SERVERS:
        resolver.nameservers = list(settings.DNS_SERVERS)
    return resolver


def _wire(name: str) -> dns.name.Name:
    return dns.name.from_text(name, idna_codec=dns.name.IDNA_2008_Practical)


def _text(record: object) -> str:
    strings = getattr(record, "strings", None)
    if strings is not None:  # TXT
        return b"".join(strings).decode("utf-8", "replace").replace("\x00", "")
    if (exchange := getattr(record, "exchange", None)) is not None:  # MX
        return f"{getattr(record, 'preference', 0)} {exchange.to_text(omit_final_dot=True) or '.'}"
    return str(record)
