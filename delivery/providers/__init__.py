"""Providers, a folder each. A folder says of itself in `ENTRIES` what it can do; nothing else has to know it.

`EMAIL_PROVIDER`, `SMS_PROVIDER` and `PUSH_PROVIDER` choose; `EMAIL_FALLBACK_PROVIDER` takes over what the first one
provably did not start (`delivery.rates.routes`)."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import import_module

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from delivery.providers.base import Entry, Provider

CHANNELS = ("email", "sms", "push")


@cache
def entries() -> Mapping[str, Entry]:
    """Every provider that a folder of this room knows, by name. One folder may send and another one report for it."""
    found: dict[str, Entry] = {}
    for folder in pkgutil.iter_modules(__path__):
        if folder.ispkg:
            told: Iterable[Entry] = import_module(f"{__name__}.{folder.name}").ENTRIES
            for entry in told:
                found[entry.name] = found[entry.name].joined(entry) if entry.name in found else entry
    return found


def title(name: str) -> str:
    """What a page calls it: as it calls itself. What nobody knows any more keeps the name that it had here."""
    entry = entries().get(name)
    return (entry.title or entry.name.capitalize()) if entry else name


def names(channel: str) -> tuple[str, ...]:
    """Who delivers that channel, the first choice first; empty: nobody. Of e-mail there is always one."""
    if channel == "email":
        chosen = (settings.EMAIL_PROVIDER, settings.EMAIL_FALLBACK_PROVIDER)
    else:
        chosen = (settings.SMS_PROVIDER if channel == "sms" else settings.PUSH_PROVIDER, "")
    return tuple(dict.fromkeys(name for name in chosen if name))


def named(name: str) -> Provider:
    """Raises ImproperlyConfigured for a name that nobody answers to, or of one who only reports."""
    entry = entries().get(name)
    if entry is None or entry.make is None:
        known = ", ".join(sorted(name for name, entry in entries().items() if entry.make))
        raise ImproperlyConfigured(f"{name!r} is none of the providers {known}")
    return entry.make()
