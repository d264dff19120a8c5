"""Load: clients that speak HTTP to the product and write down what was acknowledged, and when (CLOCK_MONOTONIC).

    python -m tests.drills.rig.clients DIR

DIR holds `events_job.json` (base_url, key, workers, pause, repeat, seed) and `events.jsonl`, one request's events a
line; gets `events_acks.jsonl`. A process of its own, so that the drill's threads do not slow it."""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp

from tests.drills.rig.record import Journal, read_lines

TRY_AGAIN_SECONDS = 0.1


async def until_answered(
    post: Callable[[], Awaitable[tuple[int, Any]]], *, expected: int
) -> tuple[float, float, int, Any]:
    """Post until the expected status comes, as a client must whose request may have met a fault.

    Returns when the last try began and when its answer was read, the number of tries, and the answer. Raises on 4xx:
    that is the drill's mistake, not a fault of the installation."""
    tries = 0
    while True:
        tries += 1
        began = time.monotonic()
        try:
            status, answer = await post()
        except (aiohttp.ClientError, TimeoutError, OSError):
            status, answer = 0, None
        read = time.monotonic()
        if status == expected:
            return began, read, tries, answer
        if 400 <= status < 500 and status not in {408, 429}:
            raise RuntimeError(f"a client was answered {status}: {answer}")
        await asyncio.sleep(TRY_AGAIN_SECONDS)


class EventClients:
    """`workers` clients share the requests and rest `pause` seconds after each; a share of them (`repeat`) is sent once
    more after it was acknowledged, as impatient producers do."""

    def __init__(self, directory: Path, session: aiohttp.ClientSession) -> None:
        job = json.loads((directory / "events_job.json").read_text())
        self._url = f"{job['base_url']}/api/v1/events"
        self._headers = {"Authorization": f"Bearer {job['key']}"}
        self._workers, self._pause, self._repeat = job["workers"], job["pause"], job["repeat"]
        self._dice = random.Random(f"{job['seed']}:clients")
        self._requests = list(enumerate(read_lines(directory / "events.jsonl")))
        self._acks = Journal(directory / "events_acks.jsonl")
        self._session = session

    async def run(self) -> None:
        self._requests.reverse()  # popped from the end, so that they are sent in the file's order
        async with asyncio.TaskGroup() as clients:
            for _ in range(self._workers):
                clients.create_task(self._work())

    async def _work(self) -> None:
        while self._requests:
            number, body = self._requests.pop()
            await self._send(number, body)
            if self._dice.random() < self._repeat:
                await self._send(number, body)
            await asyncio.sleep(self._pause)

    async def _send(self, number: int, body: Any) -> None:
        began, read, tries, answer = await until_answered(lambda: self._post(body), expected=202)
        self._acks.write(
            {
                "request": number,
                "keys": [event["event_id"] for event in body["events"]],
                "sent_at": began,
                "acked_at": read,
                "tries": tries,
                "accepted": answer["accepted"],
                "duplicates": answer["duplicates"],
                "rejected": len(answer["rejected"]),
            }
        )

    async def _post(self, body: Any) -> tuple[int, Any]:
        async with self._session.post(self._url, json=body, headers=self._headers) as response:
            return response.status, await response.json(content_type=None)


async def _main(directory: Path) -> None:
    timeout = aiohttp.ClientTimeout(total=20)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        await EventClients(directory, session).run()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    asyncio.run(_main(parser.parse_args().directory))
