"""Asks the running web process whether everything is there, as a load balancer would."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass

from config.ports import LOOPBACK

SECONDS = 2.0  # whoever waits for an answer does not hear Ctrl-C


@dataclass(frozen=True)
class Answer:
    """`reached` is false when the web process gave no answer; nothing is known of the others then."""

    reached: bool
    ready: bool
    missing: tuple[str, ...]


def ask(port: int) -> Answer:
    """One look at /readyz."""
    link = http.client.HTTPConnection(LOOPBACK, port, timeout=SECONDS)
    try:
        link.request("GET", "/readyz", headers={"Host": "localhost"})
        response = link.getresponse()
        missing = tuple(str(name) for name in json.loads(response.read()).get("missing", ()))
    except (OSError, http.client.HTTPException, ValueError, AttributeError):
        return Answer(reached=False, ready=False, missing=("web",))
    finally:
        link.close()
    return Answer(reached=True, ready=response.status == http.HTTPStatus.OK, missing=missing)


class Silence:
    """Notices processes that live and do not beat. A heart also stops when its main loop stands still, so who stays
    silent for SECONDS while Redis answers is stuck."""

    SECONDS = 30.0
    BLIND = frozenset({"web", "database", "redis", "broker"})  # while one of these is away, silence proves nothing

    def __init__(self) -> None:
        self._since: dict[str, float] = {}

    def stuck(self, answer: Answer, now: float) -> list[str]:
        """The names that have been silent for too long. `now` is monotonic seconds."""
        if not answer.reached or self.BLIND & set(answer.missing):
            self._since.clear()
            return []
        self._since = {name: self._since.get(name, now) for name in answer.missing}
        return [name for name, since in self._since.items() if now - since >= self.SECONDS]
