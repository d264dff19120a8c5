"""From an event that somebody begins to send to the request that the provider gets: a welcome mail at once, while the
machine rests, and while 500,000 people are imported who all enter a journey of the bulk lane.

Sign-ups come ten a second whatever the installation does, so that a slow answer delays nobody else's turn. The clock is
CLOCK_MONOTONIC for both ends; the stub's own slowness counts against us."""

from __future__ import annotations

import asyncio
import json
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from tests.bench import harness, imports
from tests.drills.rig import checker, machine, stage
from tests.drills.rig.clients import until_answered
from tests.drills.rig.processes import PYTHON, ROOT, whole_installation, worker
from tests.drills.rig.servers import Servers
from tests.drills.rig.stub_plan import StubPlan

REST, IMPORT = "sign-ups, at rest", "sign-ups beside an import of {:,} people into a journey"
GOAL_SECONDS = 2.0
RATE = 10.0  # sign-ups a second
ARRIVAL_SECONDS = 120.0  # for the last mail
WELCOME: dict[str, Any] = {
    "workflow": {
        "schema": 1,
        "name": "Welcome",
        "slug": "welcome",
        "entry": {"trigger": {"type": "event", "event": "signed_up"}},
        "settings": {"lane": "urgent"},
        "start": "mail",
        "steps": {"mail": {"type": "send_email", "config": {"template": "welcome"}, "next": {"next": None}}},
    },
    "templates": [
        {
            "slug": "welcome",
            "name": "Welcome",
            "subject": "Welcome, {{contact.plan}}",
            "html": "<p>Welcome.</p><p><a href='{{unsubscribe_url}}'>No more of this</a></p>",
            "text": "Welcome. No more of this: {{unsubscribe_url}}",
        }
    ],
}
CROWD: dict[str, Any] = {
    "workflow": {
        "schema": 1,
        "name": "Newcomers",
        "slug": "newcomers",
        "entry": {"trigger": {"type": "tag_added", "tag": "newcomer"}},
        "settings": {"lane": "bulk"},
        "start": "seats",
        "steps": {
            "seats": {
                "type": "branch",
                "config": {"arms": [{"key": "many", "if": {"field": "seats", "op": "gte", "value": 100}}]},
                "next": {"many": "large", "else": None},
            },
            "large": {"type": "add_tag", "config": {"tag": "large"}, "next": {"next": None}},
        },
    }
}


@dataclass(frozen=True)
class Size:
    """`crowd` people in each import; `rest` seconds of sign-ups on a machine that does nothing else; sign-ups beside an
    import go on until everybody it brought has left their journey, for `most` seconds at most."""

    crowd: int
    rest: float
    most: float
    rounds: int


FULL = Size(crowd=500_000, rest=60, most=300, rounds=2)
QUICK = Size(crowd=30_000, rest=10, most=60, rounds=2)


class EndToEndBench:
    def __init__(self, scene: stage.Stage, key: str, size: Size) -> None:
        self.scene, self.key, self.size = scene, key, size
        self.seconds: dict[str, list[list[float]]] = {}  # a list of every round
        self._sent: dict[str, float] = {}  # address -> when it was begun to be sent
        self._rounds = 0
        self._imported = 0

    def contenders(self) -> list[harness.Contender]:
        crowd = IMPORT.format(self.size.crowd)
        return [
            self._contender(
                REST, lambda: None, lambda: self._sign_up(time.monotonic() + self.size.rest, lambda: False)
            ),
            # whose processor time is the import's, too, and says nothing of a sign-up
            self._contender(crowd, self._write_file, self._beside_an_import, measured=False),
        ]

    def _contender(
        self, what: str, prepare: Callable[[], None], run: Callable[[], int], *, measured: bool = True
    ) -> harness.Contender:
        def clean() -> None:
            self._rounds += 1
            self._sent.clear()
            prepare()

        return harness.Contender(
            what,
            clean,
            run,
            lambda: self._settle(what),
            lambda: [*self.scene.servers.roots(), *self._pids()] if measured else [],
            self._pids,
        )

    def _pids(self) -> list[int]:
        return self.scene.crew.pids() if self.scene.crew is not None else []

    def _write_file(self) -> None:
        imports.write(self._file, self.size.crowd, first=self._imported)
        self._imported += self.size.crowd

    @property
    def _file(self) -> Path:
        return self.scene.directory / f"people-{self._rounds}.csv"

    def _beside_an_import(self) -> int:
        command = [PYTHON, "manage.py", "import_contacts", str(self._file), "--tag", "newcomer", "--json"]
        importing = subprocess.Popen(command, cwd=ROOT, env=self.scene.env, stdout=subprocess.DEVNULL)
        is_over = threading.Event()

        def watch() -> None:
            importing.wait()
            while not self._crowd_is_through() and not is_over.is_set():
                time.sleep(1)
            is_over.set()

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            return self._sign_up(time.monotonic() + self.size.most, is_over.is_set)
        finally:
            is_over.set()
            watcher.join()
            if importing.returncode:
                raise AssertionError(f"the import ended with {importing.returncode}")

    def _crowd_is_through(self) -> bool:
        ended = self.scene.number(
            "SELECT count(*) FROM workflow_enrolments e JOIN workflows w ON w.id = e.workflow_id"
            " WHERE w.slug = 'newcomers' AND e.state IN ('completed', 'exited')"
        )
        return bool(ended >= self._imported)

    def _sign_up(self, until: float, is_over: Callable[[], bool]) -> int:
        """How many did."""
        asyncio.run(self._keep_signing_up(until, is_over))
        return len(self._sent)

    async def _keep_signing_up(self, until: float, is_over: Callable[[], bool]) -> None:
        timeout = aiohttp.ClientTimeout(total=30)
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session, asyncio.TaskGroup() as posts:
            began = time.monotonic()
            number = 0
            while (now := time.monotonic()) < until and not is_over():
                address = f"round{self._rounds}-{number}@example.com"
                self._sent[address] = now
                posts.create_task(self._post(session, address))
                number += 1
                await asyncio.sleep(max(0.0, began + number / RATE - time.monotonic()))

    async def _post(self, session: aiohttp.ClientSession, address: str) -> None:
        event = {"event_id": address, "type": "signed_up", "contact": {"email": address}, "properties": {"plan": "pro"}}
        url, headers = f"{self.scene.base_url}/api/v1/events", {"Authorization": f"Bearer {self.key}"}

        async def post() -> tuple[int, Any]:
            async with session.post(url, json={"events": [event]}, headers=headers) as response:
                return response.status, await response.json(content_type=None)

        await until_answered(post, expected=202)

    def _settle(self, what: str) -> None:
        """Everybody has their mail, once; how long each took."""
        arrived: dict[str, float] = {}

        def is_there() -> bool:
            found = checker.requests_of(self.scene)
            arrived.update({request.to: request.by for request in found if request.to in self._sent})
            return len(arrived) == len(self._sent)

        if not self.scene.wait_until(is_there, ARRIVAL_SECONDS, every=0.5):
            raise AssertionError(f"{what}: {len(self._sent) - len(arrived)} sign-ups have no mail")
        self.seconds.setdefault(what, []).append([arrived[to] - began for to, began in self._sent.items()])
        if what != REST and not self.scene.wait_until(self._crowd_is_through, self.size.most):
            raise AssertionError(f"{what}: not everybody has come through")


def _claims(seconds: dict[str, list[list[float]]]) -> list[harness.Claim]:
    """Of each, over all rounds together."""
    claims = []
    for what, rounds in seconds.items():
        every = [each for one in rounds for each in one]
        claims += [
            harness.at_most(f"seconds from the event to the provider, {what}, {name}", found, GOAL_SECONDS)
            for name, share in (("p50", 0.5), ("p99", 0.99))
            if (found := checker.percentile(every, share)) is not None
        ]
    return claims


def run(directory: Path, *, quick: bool, say: Callable[[str], None]) -> harness.Result:
    size = QUICK if quick else FULL
    keys: list[str] = []

    def furnish(env: Any) -> None:
        for document in (WELCOME, CROWD):
            path = directory / f"{document['workflow']['slug']}.json"
            path.write_text(json.dumps(document))
            stage.manage(env, "import_workflow", str(path), "--publish")
        keys.append(stage.manage(env, "create_api_key", "--name", "bench", "--scopes", "events:write").strip())

    with Servers(directory / "servers", say=say) as servers:
        ground = machine.describe(postgresql=servers.version())
        stage.furnish(servers, directory, furnish)
        settings = {"ESP_RATE_LIMIT": "5000"}
        with stage.Stage(
            servers, directory / "run", "end_to_end", plan=StubPlan(latency_ms=(20, 20)), settings=settings
        ) as scene:
            programs = whole_installation(scene.web_port, engines=1, senders=1, dispatchers=1)
            scene.start([*programs, worker("bulk"), worker("delivery_bulk")])
            bench = EndToEndBench(scene, keys[0], size)
            rounds = harness.interleave(bench.contenders(), size.rounds, say)
    return harness.Result(
        machine=ground,
        rows=[harness.median_row(what, turns) for what, turns in rounds.items()],
        claims=_claims(bench.seconds),
        rounds=rounds,
    )
