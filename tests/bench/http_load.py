"""Requests over connections that stay open, as fast as they are answered."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field


def post(port: int, path: str, bodies: Sequence[bytes], *, key: str, connections: int) -> int:
    """Post every body once and return how many events were accepted. Raises AssertionError for any answer but 202."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def send(mine: Sequence[bytes]) -> int:
        accepted = 0
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        for body in mine:
            connection.request("POST", path, body, headers)
            response = connection.getresponse()
            answer = response.read()
            assert response.status == http.client.ACCEPTED, (response.status, answer[:300])
            accepted += json.loads(answer)["accepted"]
        connection.close()
        return accepted

    with ThreadPoolExecutor(connections) as threads:
        return sum(threads.map(send, [bodies[number::connections] for number in range(connections)]))


@dataclass(frozen=True)
class Ask:
    """A request, what it has to be answered with, and words that the answer has to have in it."""

    path: str
    method: str = "GET"
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = http.client.OK
    says: bytes = b""


@dataclass(frozen=True)
class Answer:
    seconds: float
    size: int  # of the body, in bytes
    etag: str


def ask(port: int, asks: Sequence[Ask], *, key: str, connections: int) -> list[Answer]:
    """Each once; the answers in the order of the connections, not of the requests. Raises AssertionError for another
    answer than the one that has to come."""

    def send(mine: Sequence[Ask]) -> list[Answer]:
        answers = []
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        for each in mine:
            headers = {"Authorization": f"Bearer {key}", **each.headers}
            if each.body is not None:
                headers["Content-Type"] = "application/json"
            began = time.monotonic()
            connection.request(each.method, each.path, each.body, headers)
            response = connection.getresponse()
            body = response.read()
            answers.append(Answer(time.monotonic() - began, len(body), response.headers.get("ETag", "")))
            assert response.status == each.status and each.says in body, (each.path, response.status, body[:300])
        connection.close()
        return answers

    with ThreadPoolExecutor(connections) as threads:
        shares = threads.map(send, [asks[number::connections] for number in range(connections)])
        return [answer for share in shares for answer in share]
