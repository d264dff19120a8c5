"""Opens and clicks that we see ourselves: stored like a provider's webhook, and folded like one.

A hit is one insert, and only what we signed is one. A message has so many hits an hour: what comes beyond them leads on
to where it leads and is not written down. No network address is kept. Who asks not to be tracked (Global Privacy
Control, Do Not Track) is not."""

from __future__ import annotations

import json
import logging
import threading
from collections import OrderedDict
from time import monotonic

import redis
from django.db import DatabaseError, transaction
from django.http import HttpRequest

from contacts import clock, doorbell, redis_index
from delivery.models import WebhookDelivery
from delivery.webhooks import vocabulary

log = logging.getLogger(__name__)

PROVIDER = "links"
AN_HOUR = 100  # hits of one message that are written down
WINDOW = 3600  # seconds
_MOST_LOCAL = 10_000
_LONGEST_AGENT = 500


def note(request: HttpRequest, *, mid: str, url: str | None) -> None:
    """Write a hit down: of the link to `url` (empty: the one that nobody sees), or of the picture (None). Never raises:
    whoever followed a link gets to where it leads."""
    if "1" in (request.headers.get("Sec-GPC"), request.headers.get("DNT")) or not _may_be_noted(mid):
        return
    try:
        with transaction.atomic():
            now = clock.now()
            WebhookDelivery.objects.create(provider=PROVIDER, body=_body(request, mid, url), received_at=now)
            doorbell.ring_on_commit("delivery.fold_webhooks", "webhooks")
    except DatabaseError as error:
        log.warning("a hit was not written down: %s", type(error).__name__)


def _body(request: HttpRequest, mid: str, url: str | None) -> bytes:
    headers = request.headers
    ahead = (headers.get(name, "") for name in ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"))
    told = {
        "kind": vocabulary.OPENED if url is None else vocabulary.CLICKED,
        "mid": mid,
        "url": url or "",
        "is_canary": url == "",
        "agent": headers.get("User-Agent", "")[:_LONGEST_AGENT],
        "method": request.method,
        "purpose": " ".join(part for part in ahead if part)[:_LONGEST_AGENT],
        # browsers tell how they came here over https only
        "has_sec_fetch": "Sec-Fetch-Mode" in headers if request.is_secure() else None,
    }
    return json.dumps(told).encode()


def _may_be_noted(mid: str) -> bool:
    name = redis_index.key(f"hits:{mid}")
    try:
        with redis_index.connection().pipeline(transaction=False) as pipe:
            pipe.incr(name)
            pipe.expire(name, WINDOW, nx=True)
            return int(pipe.execute()[0]) <= AN_HOUR
    except redis.RedisError as error:
        log.warning("hits are counted by this process alone: %s", type(error).__name__)
        return _local.counts(mid) <= AN_HOUR


class LocalCounts:
    """The same in this process's memory; what was counted longest ago makes room."""

    def __init__(self) -> None:
        self._counts: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._lock = threading.Lock()

    def counts(self, name: str) -> int:
        """Counts one more, and returns how many there were within the window."""
        with self._lock:
            now = monotonic()
            count, since = self._counts.pop(name, (0, now))
            if now - since > WINDOW:
                count, since = 0, now
            self._counts[name] = (count + 1, since)
            if len(self._counts) > _MOST_LOCAL:
                self._counts.popitem(last=False)
            return count + 1


_local = LocalCounts()
