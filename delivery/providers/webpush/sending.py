"""One sealed message to one browser, by way of its push service, and what that one says."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from delivery.devices import WEBPUSH, Device
from delivery.providers import exchange
from delivery.providers.base import REJECTED, STOP, Answer
from delivery.providers.exchange import Meaning, Request
from delivery.providers.pushing import GONE, KEPT_SECONDS, Carrier, Notification, Pushing, not_stopping
from delivery.providers.webpush import sealing, vapid
from delivery.transport import Reply

MEANING: Mapping[int, Meaning] = {
    404: (REJECTED, GONE),
    410: (REJECTED, GONE),
}


class Browsers(Carrier):
    kind = WEBPUSH

    def hindrance(self) -> Answer | None:
        try:
            vapid.authorization("https://push.example")
        except vapid.BadKey as error:
            return Answer(STOP, "bad_key", said=str(error))
        return None

    def write(self, device: Device, note: Notification) -> Request:
        parts = urlsplit(device.target)
        return Request(
            device.target,
            sealing.seal(note.as_json(), p256dh=device.keys["p256dh"], auth=device.keys["auth"]),
            {
                "Authorization": vapid.authorization(f"{parts.scheme}://{parts.netloc}"),
                "Content-Type": "application/octet-stream",
                "Content-Encoding": "aes128gcm",
                "TTL": str(KEPT_SECONDS),
                "Urgency": "normal",
            },
            meaning,
        )


def meaning(reply: Reply) -> Answer:
    """What a push service says of one device. A 401 or 403 is said of a subscription that was made for another key,
    too, and anybody may register one: it stops nothing."""
    answer = exchange.by_status(reply, MEANING, said=reply.body.decode("utf-8", "replace"))
    return not_stopping(answer, {STOP: REJECTED})


class WebPush(Pushing):
    name = "webpush"
    carriers = (Browsers(),)
