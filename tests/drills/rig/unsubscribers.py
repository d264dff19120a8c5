"""People who unsubscribe, or withdraw their consent, at the worst moment: while a mail to them is at the head of the
queue or on its way.

    python -m tests.drills.rig.unsubscribers DIR

runs in the product's environment (links are signed). DIR holds `unsubscribes_job.json` (base_url, database_url,
workers, pause, seed, and the `ways` that they choose from; all but the link want a `key`), gets `unsubscribes.jsonl`,
and `looks.jsonl` of those who only look at such a page meanwhile: how slow the machine was for requests that wait for
nobody. Ends when `DIR/enough` appears."""

from __future__ import annotations

import argparse
import asyncio
import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import django
import psycopg

from tests.drills.rig.clients import until_answered
from tests.drills.rig.record import Journal
from tests.drills.rig.servers import OWN

# claimed and committed: the request may start at any moment
IN_FLIGHT = """
SELECT m.public_id::text, c.email, c.public_id::text
  FROM outbox o JOIN messages m ON m.id = o.message_id JOIN contacts c ON c.id = o.contact_id
 WHERE o.state = 'sending' AND o.lease_until > now() ORDER BY random() LIMIT 50
"""
# by the index of what is due: to sort the whole queue ten times a second would take half a processor from the product
_HEAD = """
WITH head AS (SELECT message_id FROM outbox
               WHERE state = 'queued' AND lane = 'urgent' AND channel = 'email' AND message_class = 'marketing'
               ORDER BY priority, due_at, message_id LIMIT 400),
     free AS (SELECT message_id FROM outbox WHERE message_id IN (SELECT message_id FROM head) FOR UPDATE SKIP LOCKED)
SELECT m.public_id::text, c.email, c.public_id::text
  FROM head JOIN messages m ON m.id = head.message_id JOIN contacts c ON c.id = m.contact_id
 WHERE head.message_id {} (SELECT message_id FROM free) ORDER BY random() LIMIT 50
"""
AT_THE_GATE = _HEAD.format("NOT IN")  # locked by a sender that has not committed its claim
NEXT_IN_LINE = _HEAD.format("IN")
ANY = "SELECT public_id::text FROM messages LIMIT 1"
LOOKERS, LOOK_SECONDS = 2, 0.05
LINK = "link"
# by a program of the company, in these words; who wavers agrees again in between, and their last word holds
SAID: dict[str, list[tuple[str, ...]]] = {
    "marketing": [("marketing", "denied")],
    "by this channel": [("marketing", "denied", "email")],
    "processing": [("data_processing", "denied")],
    "wavering": [("marketing", "denied"), ("marketing", "granted"), ("marketing", "denied")],
}
AIMS = (("in flight", IN_FLIGHT), ("at the gate", AT_THE_GATE), ("queued", NEXT_IN_LINE))


@dataclass(frozen=True)
class Target:
    mid: str
    address: str
    contact: str  # its public id
    aimed_at: str  # in flight · at the gate · queued


class Eye:
    """Looks into the database over a connection that it keeps: a new one for each look, and they are hundreds a second,
    would take more from the product than the looks do."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: psycopg.Connection[tuple[str, str, str]] | None = None

    def rows(self, query: str) -> list[tuple[str, str, str]]:
        """No row while the database is being started again."""
        try:
            if self._connection is None:
                self._connection = psycopg.connect(self._url, autocommit=True, application_name=OWN)
            return self._connection.execute(query).fetchall()
        except psycopg.OperationalError:
            if self._connection is not None:
                self._connection.close()
            self._connection = None
            return []


class Unsubscribers:
    """`workers` at once, each resting `pause` seconds after every acknowledgement."""

    def __init__(self, directory: Path, session: aiohttp.ClientSession) -> None:
        self._job = json.loads((directory / "unsubscribes_job.json").read_text())
        self._dice = random.Random(f"{self._job['seed']}:unsubscribers")
        self._enough = directory / "enough"
        self._acks = Journal(directory / "unsubscribes.jsonl")
        self._looks = Journal(directory / "looks.jsonl")
        self._gone: set[str] = set()
        self._session = session

    async def run(self) -> None:
        async with asyncio.TaskGroup() as people:
            for _ in range(self._job["workers"]):
                people.create_task(self._work())
            for _ in range(LOOKERS):
                people.create_task(self._look())

    async def _look(self) -> None:
        """Open the page behind a link, again and again, and change nothing."""
        from delivery.public.unsubscribing import token_of

        with psycopg.connect(self._job["database_url"], autocommit=True, application_name=OWN) as connection:
            (mid,) = connection.execute(ANY).fetchone() or ("",)
        url = f"{self._job['base_url']}/u/{token_of(mid)}"

        async def get() -> tuple[int, Any]:
            async with self._session.get(url) as response:
                return response.status, await response.text()

        while not self._enough.exists():
            began, read, _, _ = await until_answered(get, expected=200)
            self._looks.write({"began": began, "read": read})
            await asyncio.sleep(LOOK_SECONDS)

    async def _work(self) -> None:
        eye = Eye(self._job["database_url"])
        while not self._enough.exists():
            target = await asyncio.to_thread(self._aim, eye)
            if target is None or target.address in self._gone:
                await asyncio.sleep(0.02)
                continue
            self._gone.add(target.address)
            await self._unsubscribe(target)
            await asyncio.sleep(self._dice.uniform(0, 2 * self._job["pause"]))

    def _aim(self, eye: Eye) -> Target | None:
        aimed_at, query = self._dice.choice(AIMS)
        rows = [row for row in eye.rows(query) if row[1] not in self._gone]
        if not rows:
            return None
        mid, address, contact = self._dice.choice(rows)
        return Target(mid, address, contact, aimed_at)

    async def _unsubscribe(self, target: Target) -> None:
        way = self._dice.choice(self._job["ways"])
        if way == LINK:
            began, read, tries = await self._use_the_link(target)
        else:
            for words in SAID[way]:
                began, read, tries = await self._say(target, *words)
        self._acks.write(
            {
                "address": target.address,
                "mid": target.mid,
                "aimed_at": target.aimed_at,
                "way": way,
                "sent_at": began,
                "acked_at": read,
                "tries": tries,
            }
        )

    async def _use_the_link(self, target: Target) -> tuple[float, float, int]:
        from delivery.public.unsubscribing import token_of

        url = f"{self._job['base_url']}/u/{token_of(target.mid)}"
        return await self._acknowledged(url, expected=200, data={"List-Unsubscribe": "One-Click"})

    async def _say(self, target: Target, category: str, state: str, topic: str = "all") -> tuple[float, float, int]:
        url = f"{self._job['base_url']}/api/v1/contacts/{target.contact}/consents"
        said = {"category": category, "state": state, **({"topic": topic} if category == "marketing" else {})}
        key = {"Authorization": f"Bearer {self._job['key']}"}
        return await self._acknowledged(url, expected=201, json=said, headers=key)

    async def _acknowledged(self, url: str, *, expected: int, **sent: Any) -> tuple[float, float, int]:
        """When the last try began, when its answer was read, and how many there were."""

        async def post() -> tuple[int, Any]:
            async with self._session.post(url, **sent) as response:
                return response.status, await response.text()

        return (await until_answered(post, expected=expected))[:3]


async def _main(directory: Path) -> None:
    connector = aiohttp.TCPConnector(limit=100, force_close=True)  # a new connection each, as mail programs make
    timeout = aiohttp.ClientTimeout(total=20)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        await Unsubscribers(directory, session).run()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    arguments = parser.parse_args()
    django.setup()
    asyncio.run(_main(arguments.directory))
