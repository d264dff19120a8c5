"""Whether a process is well, for those who watch containers: `python -m config.pulse web`, or the name of a lane,
`dispatcher` or `kafka`. Exit code 0 if it is, or if nothing can be known; 1 if it is not.

The web is asked itself, at /healthz. The others beat in Redis under their name, which all processes of that name share:
only when none of them beats is one of them taken for stuck. Without Redis nobody beats, and nobody is at fault."""

from __future__ import annotations

import http.client
import os
import sys
from collections.abc import Sequence

import redis

from config.lanes import DISPATCHER, KAFKA, LANES, heartbeat_of
from config.ports import LOOPBACK

PORT = 8000
SECONDS = 4.0
NAMES = {**{lane: heartbeat_of(lane) for lane in LANES}, DISPATCHER: DISPATCHER, KAFKA: KAFKA}


def web_answers(port: int = PORT) -> bool:
    """Whoever answers lives; what it says of a Host that it does not know is no matter."""
    link = http.client.HTTPConnection(LOOPBACK, port, timeout=SECONDS)
    try:
        link.request("GET", "/healthz", headers={"Host": "localhost"})
        return link.getresponse().status < http.HTTPStatus.INTERNAL_SERVER_ERROR
    except (OSError, http.client.HTTPException):
        return False
    finally:
        link.close()


def somebody_beats(name: str) -> bool:
    """Whether a process beats under the name of a lane, `dispatcher` or `kafka`; true as well where Redis is away."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from contacts import heartbeat

    try:
        return not heartbeat.missing([NAMES[name]])
    except redis.RedisError:
        return True


def main(arguments: Sequence[str]) -> int:
    if len(arguments) != 1 or arguments[0] not in {"web", *NAMES}:
        print(f"usage: python -m config.pulse {' | '.join(['web', *NAMES])}", file=sys.stderr)
        return 2
    (name,) = arguments
    return 0 if (web_answers() if name == "web" else somebody_beats(name)) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
