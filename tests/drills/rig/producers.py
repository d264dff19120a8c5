"""Load: producers who bring events by every door of HTTP, again and again, at once and later, and write down what was
acknowledged, and when (CLOCK_MONOTONIC).

    python -m tests.drills.rig.producers DIR

DIR holds `job.json` (base_url, key, write_key, producers, pause, repeat, seed) and `batches.jsonl`, one batch a line:
{door, lane, events: [{key, type, who, tracking}]}; gets `acks.jsonl`. A process of its own, so that the drill's threads
do not slow it."""

from __future__ import annotations

import argparse
import asyncio
import json
import random
from pathlib import Path
from typing import Any

import aiohttp

from tests.drills.rig.clients import until_answered
from tests.drills.rig.record import Journal, read_lines

API, SEGMENT = "api", "segment"
DOORS = {API: ("/api/v1/events", "key", 202), SEGMENT: ("/v1/batch", "write_key", 200)}
MOST_DELIVERIES = 5


class Producers:
    """Several share the batches, and rest `pause` seconds after each. A share of the batches (`repeat`) is delivered 2
    to MOST_DELIVERIES times, half of those all at once, the others one after the other; each time by any door."""

    def __init__(self, directory: Path, session: aiohttp.ClientSession) -> None:
        self._job = json.loads((directory / "job.json").read_text())
        self._dice = random.Random(f"{self._job['seed']}:producers")
        self._batches = list(enumerate(read_lines(directory / "batches.jsonl")))
        self._acks = Journal(directory / "acks.jsonl")
        self._session = session

    async def run(self) -> None:
        self._batches.reverse()  # popped from the end, so that they are sent in the file's order
        async with asyncio.TaskGroup() as producers:
            for _ in range(self._job["producers"]):
                producers.create_task(self._work())

    async def _work(self) -> None:
        while self._batches:
            number, batch = self._batches.pop()
            doors = [batch["door"]]
            if self._dice.random() < self._job["repeat"]:
                doors += self._dice.choices(list(DOORS), k=self._dice.randint(1, MOST_DELIVERIES - 1))
            if self._dice.random() < 0.5:
                await asyncio.gather(*(self._deliver(number, batch, door, at_once=len(doors) > 1) for door in doors))
            else:
                for door in doors:
                    await self._deliver(number, batch, door, at_once=False)
            await asyncio.sleep(self._job["pause"])

    async def _deliver(self, number: int, batch: Any, door: str, *, at_once: bool) -> None:
        path, key, expected = DOORS[door]
        headers = {"Authorization": f"Bearer {self._job[key]}"}
        body = _for_the_api(batch) if door == API else _for_segment(batch)

        async def post() -> tuple[int, Any]:
            url = self._job["base_url"] + path
            async with self._session.post(url, json=body, headers=headers) as response:
                return response.status, await response.json(content_type=None)

        began, read, tries, answer = await until_answered(post, expected=expected)
        self._acks.write(
            {
                "batch": number,
                "door": door,
                "at_once": at_once,
                "keys": [event["key"] for event in batch["events"]],
                "sent_at": began,
                "acked_at": read,
                "tries": tries,
                "accepted": answer.get("accepted"),  # Segment's clients are not told
                "refused": len(answer.get("rejected", ())),
            }
        )


def _context(event: Any) -> dict[str, Any]:
    if event["tracking"] is None:
        return {}
    return {"consent": {"categoryPreferences": {"tracking": event["tracking"]}}}


def _for_the_api(batch: Any) -> dict[str, Any]:
    return {
        "lane": batch["lane"],
        "events": [
            {
                "event_id": event["key"],
                "type": event["type"],
                "contact": {"external_id": event["who"]},
                "properties": {"key": event["key"]},
                "context": _context(event),
            }
            for event in batch["events"]
        ],
    }


def _for_segment(batch: Any) -> dict[str, Any]:
    return {
        "lane": batch["lane"],
        "batch": [
            {
                "type": "track",
                "messageId": event["key"],
                "event": event["type"],
                "userId": event["who"],
                "properties": {"key": event["key"]},
                "context": _context(event),
            }
            for event in batch["events"]
        ],
    }


async def _main(directory: Path) -> None:
    connector = aiohttp.TCPConnector(limit=100)
    timeout = aiohttp.ClientTimeout(total=20)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        await Producers(directory, session).run()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    asyncio.run(_main(parser.parse_args().directory))
