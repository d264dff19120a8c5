"""Web push: the browsers of contacts, by VAPID (RFC 8292) and encrypted for each of them (RFC 8291).

Settings: VAPID_PRIVATE_KEY (base64url of the 32 bytes, as `manage.py vapid_key` prints it, or a PEM file), and
VAPID_SUBJECT (mailto: or https:), whom push services turn to; empty: EMAIL_FROM."""

from __future__ import annotations

from delivery.providers.base import Entry
from delivery.providers.webpush.sending import WebPush

ENTRIES = (Entry("webpush", WebPush, channels=WebPush.channels, needed=("VAPID_PRIVATE_KEY",), title="Web push"),)
