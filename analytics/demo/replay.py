"""Replaying purchases through the public API, each day of the record shop at its own instant of ours."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Any
from urllib.parse import urlsplit

from analytics.demo.sources import Purchase

BATCH = 500
PATIENCE_SECONDS = 60.0  # how long the web may be away (a worker or the web itself may be killed on purpose)


class NotTaken(Exception):
    """The API refused, or was away for longer than our patience."""


@dataclass(frozen=True)
class Sent:
    """What the API said so far."""

    accepted: int
    duplicates: int
    rejected: int


def replay(
    purchases: Sequence[Purchase],
    *,
    url: str,
    api_key: str,
    run: str,
    external_ids: Sequence[str],
    seconds_per_day: float,
    progress: Callable[[Sent], None],
) -> Sent:
    """Post every purchase as `order_completed`, a day's worth when its day has come. `run` makes the event ids
    unique; a repeated post carries the same ids, so it counts as duplicates and doubles nothing."""
    sent = Sent(0, 0, 0)
    started = time.monotonic()
    number = 0
    for day, rows in _days(purchases):
        due = started + day * seconds_per_day
        while (left := due - time.monotonic()) > 0:
            time.sleep(min(left, 0.2))
            progress(sent)
        for start in range(0, len(rows), BATCH):
            events = []
            for purchase in rows[start : start + BATCH]:
                number += 1
                events.append(_event(purchase, f"{run}-{number}", external_ids))
            answer = _post(url, api_key, events)
            sent = Sent(
                sent.accepted + answer["accepted"],
                sent.duplicates + answer["duplicates"],
                sent.rejected + len(answer["rejected"]),
            )
            progress(sent)
    return sent


def _days(purchases: Sequence[Purchase]) -> Iterator[tuple[int, list[Purchase]]]:
    if not purchases:
        return
    first: date = purchases[0].day
    for day, rows in groupby(purchases, key=lambda purchase: purchase.day):
        yield (day - first).days, list(rows)


def _event(purchase: Purchase, event_id: str, external_ids: Sequence[str]) -> dict[str, Any]:
    return {
        "event_id": event_id,
        "type": "order_completed",
        "contact": {"external_id": external_ids[purchase.customer % len(external_ids)]},
        "properties": {
            "order_id": event_id,
            "total": purchase.total,
            "number_of_cds": purchase.number_of_cds,
        },
    }


def _post(url: str, api_key: str, events: list[dict[str, Any]]) -> dict[str, Any]:
    body = json.dumps({"events": events}).encode()
    headers = {"Authorization": f"Bearer {api_key}", "Content-Type": "application/json"}
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            status, answer = _request(url, body, headers)
        except (OSError, http.client.HTTPException) as error:
            status, answer = 0, str(type(error).__name__).encode()
        if status == 202:
            return json.loads(answer)
        if 400 <= status < 500 or time.monotonic() > until:
            raise NotTaken(f"POST /api/v1/events answered {status}: {answer[:200].decode(errors='replace')}")
        time.sleep(0.2)


def _request(url: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    client = kind(parts.netloc, timeout=30)
    try:
        client.request("POST", "/api/v1/events", body=body, headers=headers)
        response = client.getresponse()
        return response.status, response.read()
    finally:
        client.close()
