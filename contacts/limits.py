"""How many requests a key of the API may send: a bucket that holds a minute's worth, and fills as fast.

So an idle key may send a minute's worth at once, and nobody more than `limit` a minute for long. When Redis is away
nobody is counted and nobody refused: a limit keeps programs that run wild from the others, and is worth no outage.
Answers tell it with `RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset` (seconds until the bucket is full),
the three headers of draft-ietf-httpapi-ratelimit-headers up to its version 06, which clients know.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from contextvars import ContextVar
from time import monotonic

import redis
from django.conf import settings
from rest_framework import exceptions

from contacts import buckets

log = logging.getLogger(__name__)

WITHOUT_REDIS = 5.0  # seconds for which it is not asked again: nobody shall wait for it with every request

_told: ContextVar[Mapping[str, str] | None] = ContextVar("what the answer says of its limit", default=None)


class _Patience:
    """Of this process: until when Redis is left alone."""

    until = 0.0


class TooManyRequests(exceptions.APIException):
    """429. `wait`: seconds, for Retry-After."""

    status_code = 429
    default_detail = "This key sends more requests than it may. Wait as long as Retry-After says."
    default_code = "too_many_requests"

    def __init__(self, wait: int) -> None:
        super().__init__()
        self.wait = wait


def count(key_id: int, own_limit: int | None) -> None:
    """A request of this key came; `own_limit` None: the limit of the installation. Raises TooManyRequests."""
    limit = own_limit or settings.API_REQUESTS_PER_MINUTE
    if monotonic() < _Patience.until:
        return
    try:
        taken = buckets.take(f"requests:{key_id}", rate=limit / 60, capacity=limit)
    except redis.RedisError as error:
        _Patience.until = monotonic() + WITHOUT_REDIS
        log.warning("requests of the API are not counted for a while: %s", type(error).__name__)
        return
    _told.set(
        {
            "RateLimit-Limit": str(limit),
            "RateLimit-Remaining": str(taken.left),
            "RateLimit-Reset": str(math.ceil((limit - taken.left) * 60 / limit)),
        }
    )
    if taken.wait:
        raise TooManyRequests(taken.wait)


def headers() -> Mapping[str, str]:
    """Of the request that is being answered; empty where nobody was counted. Forgotten by asking."""
    told = _told.get()
    _told.set(None)
    return told or {}
