"""How many pages somebody may ask for: counted in Redis by network address and minute. When Redis is away everybody
may, for a page that does not open is worse than one that is opened too often."""

from __future__ import annotations

import hashlib
import logging

import redis
from django.conf import settings
from django.http import HttpRequest

from contacts import redis_index
from contacts.collect.segment import senders

log = logging.getLogger(__name__)

A_MINUTE = 120  # pages, and buttons pressed, from one network
WINDOW = 60  # seconds


def may_enter(request: HttpRequest) -> bool:
    """Counts this visit. Never raises."""
    name = redis_index.key(f"visits:{_unnamed(senders.address(request))}")
    try:
        with redis_index.connection().pipeline(transaction=False) as pipe:
            pipe.incr(name)
            pipe.expire(name, WINDOW, nx=True)
            return int(pipe.execute()[0]) <= A_MINUTE
    except redis.RedisError as error:
        log.warning("visits of public pages are not counted: %s", type(error).__name__)
        return True


def _unnamed(address: str) -> str:
    """Addresses are people's: what stands in Redis for a minute does not tell them."""
    return hashlib.blake2b(address.encode(), key=settings.SECRET_KEY.encode()[:64], digest_size=12).hexdigest()
