"""Servers of others that hear of events: added, changed, given another secret, disabled, enabled and removed here, and
nowhere else. Every door needs the caller's transaction.

An endpoint declares the types that it hears (`contacts.awaited`), so an event costs something here only where somebody
waits for its type."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from contacts import audit, authority, awaited, doorbell
from contacts.awaited import EVERY
from contacts.faults import Fault
from delivery.models import WebhookEndpoint
from delivery.outgoing import sealing, signatures, targets

BELL, LANE = "delivery.post_webhooks", "delivery_bulk"
MOST_ENDPOINTS = 50
MOST_TYPES, LONGEST_TYPE, LONGEST_DESCRIPTION = 100, 200, 200
OVERLAP, LONGEST_OVERLAP = timedelta(hours=24), timedelta(days=7)
SECRET_BYTES = 32
ADD, CHANGE, REMOVE = (f"delivery.{deed}_webhookendpoint" for deed in ("add", "change", "delete"))
BY_HAND, GONE, FAILING, SECRET_LOST = "by_hand", "gone", "failing", "secret_lost"


class BadEndpoint(ValueError):
    """It cannot be so; `faults` say why, each at its field."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(fault.msg for fault in faults))
        self.faults = list(faults)


@dataclass(frozen=True)
class Made:
    """`secret` can be read here and never again."""

    id: int
    secret: str = field(repr=False)


def add(
    *,
    url: str,
    event_types: Sequence[str],
    description: str = "",
    include_personal_data: bool = False,
    now: datetime,
) -> Made:
    """A new endpoint, which hears of what is recorded from the commit on. `event_types`: exact names, or `*` for all.
    Raises NotAllowed, BadEndpoint."""
    authority.require(ADD)
    faults = [*_url_faults(url), *_types_faults(event_types), *_description_faults(description)]
    if WebhookEndpoint.objects.exclude(state="removed").count() >= MOST_ENDPOINTS:
        faults.append(Fault("too_many", f"there are {MOST_ENDPOINTS} endpoints already"))
    if faults:
        raise BadEndpoint(faults)
    secret = _new_secret()
    endpoint = WebhookEndpoint.objects.create(
        url=url,
        description=description.strip(),
        event_types=_tidy(event_types),
        include_personal_data=include_personal_data,
        sealed_secret=sealing.seal(secret),
        created_at=now,
        changed_at=now,
    )
    _declare(endpoint)
    audit.note("webhook_endpoint.added", of=("webhook_endpoint", endpoint.pk), name=_name(url), after=_said(endpoint))
    return Made(endpoint.pk, secret)


def change(
    endpoint_id: int,
    *,
    url: str | None = None,
    event_types: Sequence[str] | None = None,
    description: str | None = None,
    include_personal_data: bool | None = None,
    now: datetime,
) -> None:
    """What is None stays. What is queued already goes to the new address. Raises NotAllowed, LookupError,
    BadEndpoint."""
    authority.require(CHANGE)
    endpoint = _held(endpoint_id)
    faults = [
        *(_url_faults(url) if url is not None else []),
        *(_types_faults(event_types) if event_types is not None else []),
        *(_description_faults(description) if description is not None else []),
    ]
    if faults:
        raise BadEndpoint(faults)
    stood = _said(endpoint)
    endpoint.url = endpoint.url if url is None else url
    endpoint.event_types = endpoint.event_types if event_types is None else _tidy(event_types)
    endpoint.description = endpoint.description if description is None else description.strip()
    if include_personal_data is not None:
        endpoint.include_personal_data = include_personal_data
    before, after = audit.changed(stood, _said(endpoint))
    if after:
        _save(endpoint, "webhook_endpoint.changed", before, after, now=now)
        _declare(endpoint)


def rotate_secret(endpoint_id: int, *, overlap: timedelta = OVERLAP, now: datetime) -> Made:
    """Another secret, which signs from now on; the one before signs beside it until `overlap` is over (zero: not at
    all). One that was about to go goes now. Raises NotAllowed, LookupError, BadEndpoint."""
    authority.require(CHANGE)
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise BadEndpoint([Fault("overlap", f"is between nothing and {LONGEST_OVERLAP.days} days", ("overlap",))])
    endpoint = _held(endpoint_id)
    secret = _new_secret()
    until = now + overlap if overlap else None
    endpoint.sealed_old_secret = endpoint.sealed_secret if until else ""
    endpoint.old_secret_until = until
    endpoint.sealed_secret = sealing.seal(secret)
    after = {"old_secret_until": until.isoformat() if until else None}
    _save(endpoint, "webhook_endpoint.secret_rotated", None, after, now=now)
    return Made(endpoint.pk, secret)


def disable(endpoint_id: int, *, now: datetime) -> bool:
    """It hears of nothing new, and what is queued waits; whether it was enabled. One that we had disabled is disabled
    by hand from now on: somebody knows of it. Raises NotAllowed, LookupError."""
    authority.require(CHANGE)
    endpoint = _held(endpoint_id)
    was_enabled = endpoint.state == "enabled"
    if endpoint.disabled_reason != BY_HAND or was_enabled:
        stop(endpoint, reason=BY_HAND, now=now)
    return was_enabled


def stop(endpoint: WebhookEndpoint, *, reason: str, now: datetime) -> None:
    """For whoever holds its row, and may."""
    before = {"state": endpoint.state, "reason": endpoint.disabled_reason}
    endpoint.state, endpoint.disabled_reason = "disabled", reason
    endpoint.disabled_at = endpoint.disabled_at or now
    after = {"state": endpoint.state, "reason": reason}
    _save(endpoint, "webhook_endpoint.disabled", before, after, now=now)
    _declare(endpoint)


def enable(endpoint_id: int, *, now: datetime) -> bool:
    """It hears of what is recorded from the commit on, and what is queued goes on; whether it was disabled. What was
    recorded meanwhile can be replayed. Raises NotAllowed, LookupError, BadEndpoint."""
    authority.require(CHANGE)
    endpoint = _held(endpoint_id)
    if endpoint.state == "enabled":
        return False
    if faults := _url_faults(endpoint.url):
        raise BadEndpoint(faults)
    try:
        sealing.unseal(endpoint.sealed_secret)
    except sealing.Unreadable as error:
        fault = Fault("secret_lost", "has no secret that can be read: rotate it first", ("secret",))
        raise BadEndpoint([fault]) from error
    before = {"state": endpoint.state, "reason": endpoint.disabled_reason}
    endpoint.state, endpoint.disabled_reason, endpoint.disabled_at = "enabled", "", None
    endpoint.failing_since = None
    _save(endpoint, "webhook_endpoint.enabled", before, {"state": "enabled"}, now=now)
    _declare(endpoint)
    doorbell.ring_on_commit(BELL, LANE)
    return True


def remove(endpoint_id: int, *, now: datetime) -> None:
    """For good: nothing more is sent to it, its secrets are forgotten, its log stays for as long as logs do. Raises
    NotAllowed, LookupError."""
    authority.require(REMOVE)
    endpoint = _held(endpoint_id)
    stood = _said(endpoint)
    endpoint.state, endpoint.disabled_at = "removed", endpoint.disabled_at or now
    endpoint.sealed_secret = endpoint.sealed_old_secret = ""
    endpoint.old_secret_until = None
    _save(endpoint, "webhook_endpoint.removed", stood, None, now=now)
    _declare(endpoint)


def owner(endpoint_id: int) -> str:
    """As `contacts.awaited` knows it."""
    return f"webhook_endpoint:{endpoint_id}"


def _held(endpoint_id: int) -> WebhookEndpoint:
    """Its row, locked. Raises LookupError."""
    found = WebhookEndpoint.objects.select_for_update(no_key=True).filter(pk=endpoint_id).exclude(state="removed")
    endpoint = found.first()
    if endpoint is None:
        raise LookupError(endpoint_id)
    return endpoint


def _declare(endpoint: WebhookEndpoint) -> None:
    awaited.declare(owner(endpoint.pk), endpoint.event_types if endpoint.state == "enabled" else [])


def _save(
    endpoint: WebhookEndpoint, what: str, before: audit.Facts | None, after: audit.Facts | None, *, now: datetime
) -> None:
    endpoint.changed_at = now
    endpoint.save()
    audit.note(what, of=("webhook_endpoint", endpoint.pk), name=_name(endpoint.url), before=before, after=after)


def _said(endpoint: WebhookEndpoint) -> Mapping[str, Any]:
    """For the audit log: an address may hold a key of the receiver's, so it is told by its host and a hash."""
    return {
        "host": _name(endpoint.url),
        "address_hash": hashlib.sha256(endpoint.url.encode()).hexdigest()[:12],
        "event_types": list(endpoint.event_types),
        "description": endpoint.description,
        "include_personal_data": endpoint.include_personal_data,
    }


def _name(url: str) -> str:
    return urlsplit(url).netloc


def _new_secret() -> str:
    return signatures.PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def _tidy(event_types: Sequence[str]) -> list[str]:
    return [EVERY] if EVERY in event_types else sorted(set(event_types))


def _url_faults(url: str) -> list[Fault]:
    try:
        targets.check(url)
    except targets.BadTarget as error:
        return [Fault(error.code, str(error), ("url",))]
    return []


def _types_faults(event_types: Sequence[str]) -> list[Fault]:
    if not event_types:
        return [Fault("required", "names at least one type of event, or * for all", ("event_types",))]
    if len(event_types) > MOST_TYPES:
        return [Fault("too_many", f"has at most {MOST_TYPES} types; * stands for all", ("event_types",))]
    return [
        Fault("event_type", f"is the exact name of a type, of 1 to {LONGEST_TYPE} characters", ("event_types", n))
        for n, event_type in enumerate(event_types)
        if not 1 <= len(event_type) <= LONGEST_TYPE or "\x00" in event_type or event_type != event_type.strip()
    ]


def _description_faults(description: str) -> list[Fault]:
    if len(description) > LONGEST_DESCRIPTION or "\x00" in description:
        return [Fault("description", f"has at most {LONGEST_DESCRIPTION} characters", ("description",))]
    return []
