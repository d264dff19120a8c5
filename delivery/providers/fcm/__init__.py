"""Firebase Cloud Messaging (HTTP v1): the apps of contacts.

Settings: FCM_SERVICE_ACCOUNT, the JSON of a service account's key (best as FCM_SERVICE_ACCOUNT_FILE); FCM_API_URL, so
that a stub can stand in. Where tokens are had is said in the JSON."""

from __future__ import annotations

from delivery.providers.base import Entry
from delivery.providers.fcm.sending import Fcm

ENTRIES = (Entry("fcm", Fcm, channels=Fcm.channels, needed=("FCM_SERVICE_ACCOUNT",), title="Firebase"),)
