"""The browsers and phones that a contact takes push messages on.

A device is known by its target: a browser's endpoint, an app's token. Whoever registers it last has it, for a phone is
sold and a browser is used by the next member of the family. Push services say when nobody is there any more; then it is
gone, until it is registered again."""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec
from django.db import connection

from contacts.faults import Fault
from contacts.merged import lock_living
from delivery.outgoing import targets

WEBPUSH, FCM = "webpush", "fcm"
KINDS = (WEBPUSH, FCM)
MOST = 20  # devices of a contact that one message goes to, those first that were seen last
LONGEST_TARGET, LONGEST_AGENT = 2048, 300
KEY_BYTES: Mapping[str, int] = {"p256dh": 65, "auth": 16}

# Where browsers' endpoints are. Anybody may register one, and we ask what was registered: so nowhere else, but where
# WEBHOOK_ALLOWED_HOSTS lets requests go.
PUSH_SERVICES = (
    "fcm.googleapis.com",
    "updates.push.services.mozilla.com",
    "web.push.apple.com",
    ".push.services.mozilla.com",
    ".push.apple.com",
    ".notify.windows.com",
    ".wns.windows.com",
)


class BadDevice(ValueError):
    """Nothing can be sent to what was given; `faults` says which places of it are wrong."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("not a device")
        self.faults = list(faults)


@dataclass(frozen=True)
class NewDevice:
    """`kind`: webpush (`target` its endpoint, `keys` {p256dh, auth} in base64url) · fcm (`target` its token). `agent`:
    what it calls itself."""

    kind: str
    target: str
    keys: Mapping[str, str] = field(default_factory=dict)
    agent: str = ""


@dataclass(frozen=True)
class Device:
    """A device that messages can go to. `id` is ours, not the one that is shown."""

    id: int
    kind: str
    target: str
    keys: Mapping[str, Any]


def register(contact_id: int, device: NewDevice, *, now: datetime) -> str:
    """The device is the contact's from now on, in the caller's transaction. Returns its public id: the same for the
    same device. Raises BadDevice."""
    check(device)
    (living,) = lock_living([contact_id])
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO push_devices (contact_id, kind, target, keys, agent, created_at, seen_at)
            VALUES (%s, %s, %s, %s::jsonb, %s, %s, %s)
                ON CONFLICT (kind, target) DO UPDATE
               SET contact_id = EXCLUDED.contact_id, keys = EXCLUDED.keys, agent = EXCLUDED.agent,
                   seen_at = EXCLUDED.seen_at, gone_at = NULL, gone_why = ''
            RETURNING public_id::text
            """,
            [living, device.kind, device.target, json.dumps(dict(device.keys)), device.agent[:LONGEST_AGENT], now, now],
        )
        return cursor.fetchone()[0]


def forget(contact_id: int, public_id: str) -> bool:
    """The contact wants nothing on this device any more: its row goes. Returns whether it was theirs."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM push_devices WHERE contact_id = %s AND public_id = %s", [contact_id, public_id])
        return cursor.rowcount == 1


def of_contacts(public_ids: Collection[str], *, kinds: Collection[str]) -> dict[str, list[Device]]:
    """The devices of these contacts (by their public ids) that are not gone, of each at most MOST. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT c.public_id::text, d.id, d.kind, d.target, d.keys::text
              FROM contacts c
             CROSS JOIN LATERAL (
                   SELECT id, kind, target, keys FROM push_devices
                    WHERE contact_id = c.id AND gone_at IS NULL AND kind = ANY(%s)
                    ORDER BY seen_at DESC, id DESC LIMIT %s) d
             WHERE c.public_id = ANY(%s::uuid[])
            """,
            [list(kinds), MOST, sorted(public_ids)],
        )
        found: dict[str, list[Device]] = {}
        for public_id, device_id, kind, target, keys in cursor.fetchall():
            found.setdefault(public_id, []).append(Device(device_id, kind, target, json.loads(keys)))
        return found


def note_gone(devices: Mapping[int, str], *, asked_at: datetime, now: datetime) -> None:
    """Nobody is there any more (id -> why). One that was registered again since it was asked stays."""
    if not devices:
        return
    in_order = sorted(devices)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE push_devices d SET gone_at = %s, gone_why = r.why
              FROM unnest(%s::bigint[], %s::text[]) AS r (id, why)
             WHERE d.id = r.id AND d.gone_at IS NULL AND d.seen_at <= %s
            """,
            [now, in_order, [devices[each][:LONGEST_AGENT] for each in in_order], asked_at],
        )


def check(device: NewDevice) -> None:
    """Raises BadDevice."""
    faults: list[Fault] = []
    if device.kind not in KINDS:
        faults.append(Fault("choice", f"must be one of {', '.join(KINDS)}", ("kind",)))
    if not 1 <= len(device.target) <= LONGEST_TARGET or not device.target.isascii() or not device.target.isprintable():
        faults.append(Fault("target", f"must have 1 to {LONGEST_TARGET} plain characters", ("target",)))
    elif device.kind == WEBPUSH and not _is_push_service(device.target):
        faults.append(Fault("target", "is no address of a push service", ("target",)))
    if device.kind == WEBPUSH:
        faults += [
            Fault("key", f"must be {length} bytes in base64url", ("keys", name))
            for name, length in KEY_BYTES.items()
            if not _is_key(name, device.keys.get(name), length)
        ]
    if not device.agent.isprintable():
        faults.append(Fault("agent", "holds a character that cannot be shown", ("agent",)))
    if faults:
        raise BadDevice(faults)


def _is_push_service(url: str) -> bool:
    try:
        target = targets.check(url)
        host = (urlsplit(url).hostname or "").lower()
    except ValueError:
        return False
    if targets.is_allowed(host):
        return True
    named = any(host == each or (each.startswith(".") and host.endswith(each)) for each in PUSH_SERVICES)
    return named and target.scheme == "https"


def _is_key(name: str, given: object, length: int) -> bool:
    if not isinstance(given, str) or len(given) > 2 * length:
        return False
    bare = given.rstrip("=")
    try:
        raw = base64.b64decode(bare + "=" * (-len(bare) % 4), altchars=b"-_", validate=True)
        if name == "p256dh":
            ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw)
    except ValueError:
        return False
    return len(raw) == length
