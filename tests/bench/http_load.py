"""Requests over connections that stay open, as fast as they are answered."""

from __future__ import annotations

import http.client
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor


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
