"""What becomes of two profiles that are one person's. Pure.

The survivor's fields stay, and its empty ones are filled. Each attribute is the one that was set or removed last. Of
two frequency caps the strictest holds, for the day and for the week."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from contacts.upserting import CAP, FIELDS, same

Cap = Mapping[str, int | None]


@dataclass(frozen=True)
class Profile:
    """A contact under its lock. `known`: it has an identifier that names a person, not only a device.
    `attributes_at`: when each attribute last changed, the removed ones included; absent: it came with the contact."""

    contact_id: int
    public_id: str
    fields: Mapping[str, Any]  # FIELDS and CAP
    attributes: Mapping[str, Any]
    created_at: datetime
    known: bool
    attributes_at: Mapping[str, datetime] = field(default_factory=dict)
    merged_into: int | None = None
    erased: bool = False


@dataclass(frozen=True)
class Made:
    """What a merge makes of the survivor: name -> (old, new), of what changes alone. A value that is None is none."""

    fields: Mapping[str, tuple[Any, Any]]
    attributes: Mapping[str, tuple[Any, Any]]
    created_at: tuple[datetime, datetime] | None

    def as_json(self) -> dict[str, Any]:
        """For the ledger."""
        return {
            "fields": {name: list(pair) for name, pair in self.fields.items()},
            "attributes": {name: list(pair) for name, pair in self.attributes.items()},
            "created_at": self.created_at and [at.isoformat() for at in self.created_at],
        }


def made(survivor: Profile, absorbed: Profile, defaults: Cap) -> Made:
    """`defaults`: the installation's cap, which holds where a contact has none of its own."""
    fields = {
        name: (survivor.fields[name], absorbed.fields[name])
        for name in FIELDS
        if not survivor.fields[name] and absorbed.fields[name]
    }
    cap = strictest_cap(survivor.fields[CAP], absorbed.fields[CAP], defaults)
    if cap != survivor.fields[CAP]:
        fields[CAP] = (survivor.fields[CAP], cap)
    older = absorbed.created_at < survivor.created_at
    return Made(
        fields=fields,
        attributes=_latest(survivor, absorbed),
        created_at=(survivor.created_at, absorbed.created_at) if older else None,
    )


def _latest(survivor: Profile, absorbed: Profile) -> dict[str, tuple[Any, Any]]:
    """What the absorbed profile says later than the survivor's; at the same instant the survivor's holds."""
    changed: dict[str, tuple[Any, Any]] = {}
    for name in sorted(absorbed.attributes.keys() | absorbed.attributes_at.keys()):
        said_at = _said_at(survivor, name)
        theirs_at = _said_at(absorbed, name)
        old, new = survivor.attributes.get(name), absorbed.attributes.get(name)
        if theirs_at is not None and (said_at is None or theirs_at > said_at) and not same(old, new):
            changed[name] = (old, new)
    return changed


def _said_at(profile: Profile, name: str) -> datetime | None:
    """When the profile last said anything of this attribute, its removal included; None: never."""
    return profile.attributes_at.get(name, profile.created_at if name in profile.attributes else None)


def strictest_cap(one: Cap | None, other: Cap | None, defaults: Cap) -> dict[str, int | None] | None:
    """Member by member the smaller number; null is no limit, an absent member means the installation's."""
    if one == other:
        return None if one is None else dict(one)
    strictest: dict[str, int | None] = {}
    for name, default in defaults.items():
        sides = [cap or {} for cap in (one, other)]
        chosen = min(sides, key=lambda cap: _limit(cap.get(name, default)))
        if name in chosen:
            strictest[name] = chosen[name]
    return strictest or None


def _limit(value: int | None) -> float:
    return float("inf") if value is None else value


def oldest_known(profiles: Mapping[int, Profile]) -> Profile:
    """Who survives: a contact that names a person before one that is only a device's, then the one that was created
    first, then the one with the smaller id."""
    return min(profiles.values(), key=lambda profile: (not profile.known, profile.created_at, profile.contact_id))
