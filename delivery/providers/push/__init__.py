"""Browsers and apps together: web push and Firebase for contacts who have both. Settings: those of `webpush` and
`fcm`."""

from __future__ import annotations

from delivery.providers.base import Entry
from delivery.providers.fcm.sending import Apps
from delivery.providers.pushing import Pushing
from delivery.providers.webpush.sending import Browsers


class Push(Pushing):
    name = "push"
    carriers = (Browsers(), Apps())


ENTRIES = (
    Entry(
        "push",
        Push,
        channels=Push.channels,
        needed=("VAPID_PRIVATE_KEY", "FCM_SERVICE_ACCOUNT"),
        title="Web push and Firebase",
    ),
)
