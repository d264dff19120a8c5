"""The floor: wake times in a Redis sorted set, polled by one process that takes what is due and does nothing with it.
No rows, no steps, and whatever it has taken when it dies is lost.

    python -m tests.bench.peers.sorted_set.polling REDIS_URL PENDING DUE SECONDS RESULT
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any, cast

import redis

from tests.bench import turn

KEY = "floor"
CHUNK = 5_000
IDLE = 0.005
TAKE = """
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'WITHSCORES', 'LIMIT', 0, 1000)
local members = {}
for i = 1, #due, 2 do members[#members + 1] = due[i] end
if #members > 0 then redis.call('ZREM', KEYS[1], unpack(members)) end
return due
"""


def fill(client: redis.Redis, first: int, count: int, start: float, per_second: float) -> None:
    for begin in range(0, count, CHUNK):
        numbers = range(begin, min(begin + CHUNK, count))
        client.zadd(KEY, {str(first + n): start + n / per_second for n in numbers})


def main(url: str, pending: int, due: int, seconds: float, result: Path) -> None:
    client = redis.Redis.from_url(url, decode_responses=True)
    client.delete(KEY)
    fill(client, 0, pending, time.time() + 86_400, 100)
    take = client.register_script(TAKE)
    print(turn.READY, flush=True)
    if sys.stdin.readline().strip() != turn.GO:
        return
    fill(client, pending, due, time.time() + 1, due / seconds)
    late: list[float] = []
    while len(late) < due:
        found = cast("list[Any]", take(keys=[KEY], args=[time.time()]))
        now = time.time()
        late += [now - float(score) for score in found[1::2]]
        if not found:
            time.sleep(IDLE)
    result.write_text(json.dumps(late))
    print(turn.DONE, flush=True)
    sys.stdin.readline()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), Path(sys.argv[5]))
