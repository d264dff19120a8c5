"""What is personal stays out of subjects, which lie open in every list of mails, and out of requests to other servers.

Marked are the attributes that PERSONAL_ATTRIBUTES names; in subjects and preheaders the identifiers count, too. What is
meant to be there all the same is named in the template's or the step's `allow_personal`. Pure, but for the settings."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from django.conf import settings

from contacts.faults import Fault
from delivery.authoring import tags
from delivery.authoring.tags import Tag

IDENTIFIERS = frozenset({"contact.email", "contact.phone", "contact.external_id"})
_FIELDS = frozenset({"id", "external_id", "email", "phone", "timezone", "locale", "region", "owner_email"})


def marked() -> frozenset[str]:
    """The names that are marked: an attribute's, or a field's as `contact.email`."""
    return frozenset(settings.PERSONAL_ATTRIBUTES)


def faults(text: str, *, allowed: Collection[str], identifiers: bool = False) -> Iterator[Fault]:
    """The marked names that a text would show; `identifiers`: those count as marked."""
    for name, line in _shown(text, allowed, identifiers).items():
        yield Fault("personal", f"{name} is personal and may not stand here; allow_personal may name it (line {line})")


def shown(text: str, *, allowed: Collection[str]) -> list[str]:
    """The names alone."""
    return list(_shown(text, allowed, identifiers=False))


def _shown(text: str, allowed: Collection[str], identifiers: bool) -> dict[str, int]:
    """Each marked name that a text would show, with the line where it does first."""
    lines: dict[str, int] = {}
    if "{{" in text:
        wanted = (marked() | (IDENTIFIERS if identifiers else frozenset())) - set(allowed)
        for name, around, tag in tags.names(text):
            for meant in _meanings(name, around):
                if found := _found(meant, wanted):
                    lines.setdefault(found, tags.line(text, tag.start))
    return lines


def _found(meant: str, wanted: Collection[str]) -> str:
    """Which of the marked names would be shown; empty: none. The contact as a whole shows them all."""
    if meant == "contact":
        return "contact" if wanted else ""
    return meant if meant in wanted else next((part for part in _parents(meant) if part in wanted), "")


def without(
    fields: Mapping[str, Any], attributes: Mapping[str, Any], *, allowed: Collection[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fields and the attributes of a contact that may go to another server."""
    kept_back = marked() - set(allowed)
    return (
        {name: value for name, value in fields.items() if f"contact.{name}" not in kept_back},
        {name: value for name, value in attributes.items() if name not in kept_back},
    )


def _meanings(name: str, around: Sequence[Tag]) -> Iterator[str]:
    """Every name of the contact that a tag may stand for: by itself, and within each section around it."""
    inside = [tag.name for tag in around if tag.kind == "section"]
    if name == ".":
        yield from (_plain(section) for section in inside)
        return
    yield _plain(name)
    for section in inside:
        yield _plain(f"{section}.{name}")


def _plain(name: str) -> str:
    """`contact.plan` is the attribute plan; a field of the contact keeps its prefix."""
    head, _, rest = name.partition(".")
    if head == "contact" and rest and name not in IDENTIFIERS and rest.partition(".")[0] not in _FIELDS:
        return rest
    return name


def _parents(name: str) -> Iterator[str]:
    """`address` of `address.street`."""
    parts = name.split(".")
    for count in range(len(parts) - 1, 0, -1):
        yield ".".join(parts[:count])
