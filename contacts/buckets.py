"""Buckets of tokens in Redis: how much somebody may do at a rate, whichever process they meet."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import redis

from contacts import redis_index

_SCRIPT = Path(__file__).parent / "lua" / "take_tokens.lua"


@dataclass(frozen=True)
class Taken:
    """`wait`: whole seconds before it is worth asking again; 0: the tokens were taken. `left`: whole tokens."""

    wait: int
    left: int


def take(name: str, *, rate: float, capacity: float, wanted: int = 1) -> Taken:
    """All of the tokens or none of them, in one round trip; `rate`: tokens a second. Never waits. Raises RedisError."""
    wait, left = _script()(keys=[redis_index.key(name)], args=[rate, capacity, wanted], client=redis_index.connection())
    return Taken(math.ceil(int(wait) / 1000), int(left))


@cache
def _script() -> redis.commands.core.Script:
    return redis_index.connection().register_script(_SCRIPT.read_text())
