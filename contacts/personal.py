"""What is personal is shown to those who may see it, and masked for everybody else: an analyst reads journeys and
results without reading addresses. Every page and file that names a person asks here; whoever acts outside of a request
(workers, commands) sees all."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django.conf import settings

from contacts import authority

# Attributes and properties that are personal wherever they stand; PERSONAL_ATTRIBUTES names more.
NAMES = frozenset({
    "name", "first_name", "last_name", "full_name", "firstname", "lastname", "given_name", "family_name", "username",
    "email", "email_address", "phone", "phone_number", "mobile", "address", "street", "zip", "postal_code", "birthday",
    "birth_date", "date_of_birth", "ip", "ip_address", "title_and_name", "owner_email",
})  # fmt: skip
_ADDRESS = re.compile(r"([^\s@<>\"'(),;:=/?&]+)@([^\s@<>\"'(),;:=/?&]+)")
_PHONE = re.compile(r"(?<![\w.])(\+\d{2})[\d ()./-]{4,20}\d(?!\w)")


def may_be_seen() -> bool:
    return authority.current().may(authority.SEE_PERSONAL_DATA)


def address(text: str) -> str:
    """An address or a number, as it may be shown; within a text, too."""
    return text if may_be_seen() else masked(text)


def name(text: str) -> str:
    """What a person is called, as it may be shown."""
    return text if may_be_seen() else initialled(text)


def facts(value: Any, called: str = "") -> Any:
    """A JSON value (attributes, properties), as it may be shown. `called`: the name that it stands under."""
    return value if may_be_seen() else _masked(value, called)


def masked(text: str) -> str:
    """`anna@example.com` -> `a…@example.com`, `+49 151 2345678` -> `+49…`; everything else stays."""
    return _PHONE.sub(r"\1…", _ADDRESS.sub(lambda found: f"{found[1][0]}…@{found[2]}", text))


def without_addresses(value: Any) -> Any:
    """A JSON value with its addresses and numbers masked, whoever asks: for what is kept for ever."""
    if isinstance(value, Mapping):
        return {key: without_addresses(inside) for key, inside in value.items()}
    if isinstance(value, list | tuple):
        return [without_addresses(inside) for inside in value]
    return masked(value) if isinstance(value, str) else value


def initialled(text: str) -> str:
    """`Anna Schmidt` -> `A… S…`; an address is masked as one."""
    return " ".join(masked(word) if "@" in word else f"{word[0]}…" for word in text.split())


def is_personal(called: str) -> bool:
    plain = called.lower().replace("-", "_")
    return plain in NAMES or called in settings.PERSONAL_ATTRIBUTES


def _masked(value: Any, called: str) -> Any:
    if isinstance(value, Mapping):
        return {key: _masked(inside, str(key)) for key, inside in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(inside, called) for inside in value]
    if value is None or isinstance(value, bool) or value == "":
        return value
    if is_personal(called):
        return initialled(str(value)) if isinstance(value, str) else "…"
    return masked(value) if isinstance(value, str) else value
