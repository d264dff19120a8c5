"""How a person may be named, and the one way in which each name is written down to be compared. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import idna
from email_validator import validate_email

from contacts.faults import Fault

KINDS = ("external_id", "email", "phone", "anonymous_id")  # in this order they decide who is meant
LONGEST = 255

# What nearly every address looks like; anything else is judged by the slower library.
_PLAIN_EMAIL = re.compile(
    r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?",
    re.IGNORECASE | re.ASCII,
)
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_JOINERS = "\u200c\u200d"
_PHONE = re.compile(r"\+?[0-9]{5,15}", re.ASCII)
_PHONE_ORNAMENT = re.compile(r"[\s().\-/]")


class Identifiers(NamedTuple):
    """What a producer says about who somebody is, as it was sent; empty: not said. `key`: the kind that decides first,
    where it is not the one that does by itself."""

    external_id: str = ""
    email: str = ""
    anonymous_id: str = ""
    phone: str = ""
    key: str = ""

    def given(self) -> Iterator[tuple[str, str]]:
        """(kind, value without surrounding space) of what was said, the most decisive first."""
        for kind in sorted(KINDS, key=lambda kind: kind != self.key) if self.key else KINDS:
            if said := getattr(self, kind):
                value = said.strip()
                if value:
                    yield kind, value


def canonical(kind: str, value: str) -> str:
    """The form in which an identifier is stored and looked up: two spellings of one name give the same text.

    Never raises; what is not a valid identifier comes out as something that nobody has (see `fault`)."""
    value = value.strip()
    if kind == "email":
        return canonical_email(value)
    if kind == "phone":
        return _PHONE_ORNAMENT.sub("", value)
    return value if value.isascii() else unicodedata.normalize("NFC", value)


def canonical_email(address: str) -> str:
    """The key of an address: its local part in NFC and casefolded, its domain in lower-case ASCII (IDNA).

    Identities, suppression and the sender all use this one function, so that nobody is known under a spelling of
    their address in one of them and not in another. Never raises. Applied twice it changes nothing more."""
    local, at, domain = address.strip().rpartition("@")
    return _fold(local) + at + _ascii_domain(domain)


def _fold(text: str) -> str:
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


@lru_cache(maxsize=10_000)
def _ascii_domain(domain: str) -> str:
    if domain.isascii():
        return domain.lower()
    try:
        return idna.encode(domain, uts46=True).decode("ascii").lower()
    except (idna.IDNAError, UnicodeError):
        return _fold(domain)


def fault(kind: str, value: str) -> Fault | None:
    """Why `value` cannot be an identifier of this kind, or None. `value` has no surrounding space."""
    if len(value) > LONGEST:
        return Fault("too_long", f"is longer than {LONGEST} characters", (kind,))
    if kind == "email" and not is_email(value):
        return Fault("email", "is not an e-mail address", (kind,))
    if kind == "phone" and not _PHONE.fullmatch(canonical("phone", value)):
        return Fault("phone", "is not a telephone number", (kind,))
    if not (value.isascii() and value.isprintable()) and _CONTROL.search(value):
        return Fault("control_character", "holds a control character", (kind,))
    return None


def is_email(address: str) -> bool:
    """Whether it can be an address on the internet: no quoted local part, no address in brackets, no display name.

    Says nothing about whether anybody reads it. Reserved names (`.test`, `.invalid`) are addresses too."""
    local, _, domain = address.rpartition("@")
    if _PLAIN_EMAIL.fullmatch(address) and len(local) <= 64 and len(address) <= 254 and "--" not in domain:
        return True
    try:
        validate_email(
            f"{_without_joiners(local)}@{domain}",
            check_deliverability=False,
            globally_deliverable=False,
            test_environment=True,
            strict=True,
        )
    except ValueError:  # also EmailNotValidError, and what idna says of characters that nobody has assigned
        return False
    return True


def _without_joiners(local: str) -> str:
    """Without the invisible joiners where the script needs them (RFC 5892: कृष्‍ण is a name); the library below takes
    every one for an attack, and still sees those that stand elsewhere."""
    if local.isascii():
        return local
    return "".join(
        character
        for position, character in enumerate(local)
        if not (character in _JOINERS and idna.valid_contextj(local, position))
    )
