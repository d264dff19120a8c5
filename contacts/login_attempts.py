"""How often somebody may try to log in: passwords and codes that were wrong, counted in Redis for a quarter of an hour.

Counted for an account as one address tries it, for the account as all of them do, and for the address whatever account
it tries. The bounds differ, so that somebody far away who guesses at an account does not soon shut its owner out. An
account that does not exist is counted alike, so nobody learns from it which ones do. When Redis is away people may log
in: the staff must get in to mend the house, passwords are hashed slowly, and codes have a bound of their own in
PostgreSQL (django-otp's). docs/decisions/0055 says more."""

from __future__ import annotations

import hashlib
import logging
from typing import Any

import redis
from django.conf import settings

from contacts import redis_index

log = logging.getLogger(__name__)

WINDOW_SECONDS = 900
OF_BOTH, OF_ACCOUNT, OF_ADDRESS = 5, 50, 50


def wait_for(account: str, address: str) -> int:
    """0: may try; else how many seconds to wait. `address`: as `senders.address` tells it. Never raises."""
    try:
        client: Any = redis_index.connection()
        bounds = _bounds(account, address)
        counted = client.mget([name for name, _ in bounds])
        full = [name for (name, bound), count in zip(bounds, counted, strict=True) if int(count or 0) >= bound]
        return max((max(1, client.ttl(name)) for name in full), default=0)
    except redis.RedisError as error:
        log.warning("logins are not counted: %s", type(error).__name__)
        return 0


def note_failure(account: str, address: str) -> bool:
    """Count it; whether this one was the last that is allowed for now. Never raises."""
    try:
        client = redis_index.connection()
        is_last = False
        for name, bound in _bounds(account, address):
            with client.pipeline() as pipe:
                pipe.set(name, 0, ex=WINDOW_SECONDS, nx=True)
                pipe.incr(name)
                is_last |= pipe.execute()[1] == bound
        return is_last
    except redis.RedisError as error:
        log.warning("logins are not counted: %s", type(error).__name__)
        return False


def forgive(account: str, address: str) -> None:
    """Who got in begins anew; what others tried at the account, and this address at others, stays counted."""
    try:
        redis_index.connection().delete(_bounds(account, address)[0][0])
    except redis.RedisError as error:
        log.warning("logins are not counted: %s", type(error).__name__)


def _bounds(account: str, address: str) -> list[tuple[str, int]]:
    who, where = account.strip().casefold(), address
    return [
        (_name("both", f"{who}\n{where}"), OF_BOTH),
        (_name("account", who), OF_ACCOUNT),
        *([(_name("address", where), OF_ADDRESS)] if where else []),
    ]


def _name(kind: str, of: str) -> str:
    """Names and addresses are people's: what stands in Redis does not tell them."""
    hashed = hashlib.blake2b(of.encode(), key=settings.SECRET_KEY.encode()[:64], digest_size=16).hexdigest()
    return redis_index.key(f"login:{kind}:{hashed}")
