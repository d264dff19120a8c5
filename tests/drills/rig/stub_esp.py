"""A stub ESP in its own process: speaks SendGrid's mail/send, records every request, misbehaves by plan, reports back.

    python -m tests.drills.rig.stub_esp --port 0 --directory DIR

DIR holds `plan.json` (see `stub_plan`), `key.pem` and `webhook_url` if webhooks are wanted, gets `requests.jsonl` (the
record) and `port`. `GET /admin/summary`, `GET /admin/requests?mid=` and `PUT /admin/plan` serve the drill.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import selectors
import socket
import struct
import time
from collections import Counter, deque
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.drills.rig import stub_plan
from tests.drills.rig.record import Journal, Request
from tests.drills.rig.stub_webhooks import Signer, Webhooks, event

ROUNDS_TO_READ = 5  # rounds of the event loop, at most, from bytes in the socket's buffer to our handler
TICK_SECONDS = 0.005  # keeps the rounds short when nothing happens


class NotingSelector(selectors.DefaultSelector):
    """Notes when each poll returned: what a handler sees had not arrived some rounds ago, or an earlier round had
    read it."""

    def __init__(self) -> None:
        super().__init__()
        self.returned_at: deque[float] = deque([time.monotonic()], maxlen=ROUNDS_TO_READ + 1)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(timeout)
        self.returned_at.append(time.monotonic())
        return ready


class StubEsp:
    def __init__(self, directory: Path, selector: NotingSelector) -> None:
        self.plan = stub_plan.read_plan(json.loads((directory / "plan.json").read_text()))
        self.selector = selector
        self.record = Journal(directory / "requests.jsonl")
        self.requests: dict[str, list[Request]] = {}
        self.verdicts: Counter[str] = Counter()
        self.webhooks: Webhooks | None = None
        if (directory / "webhook_url").exists():
            self.webhooks = Webhooks(
                (directory / "webhook_url").read_text().strip(),
                Signer((directory / "key.pem").read_text()),
                seed=self.plan.seed,
                copies=self.plan.copies,
            )

    async def send(self, request: web.Request) -> web.StreamResponse:
        after, by = self.selector.returned_at[0], time.monotonic()
        body = await request.json()
        personalization = body["personalizations"][0]
        mid, to = personalization["custom_args"]["mid"], personalization["to"][0]["email"]
        earlier = self.requests.setdefault(mid, [])
        answer = stub_plan.answer(self.plan, mid, len(earlier))
        received = Request(after=after, by=by, mid=mid, to=to, verdict=answer.verdict, taken=answer.taken)
        earlier.append(received)
        self.record.write(received.as_row())
        self.verdicts[answer.verdict] += 1
        if answer.taken:
            self._report(mid, to)
        if answer.verdict == "hang":
            await asyncio.sleep(self.plan.hang_seconds)
        else:
            await asyncio.sleep(answer.latency)
        if answer.status is None:
            return _reset(request)
        headers = {"X-Message-Id": f"{mid}.stub"} if answer.taken else {}
        if answer.status == 429:
            headers["Retry-After"] = str(self.plan.retry_after)
        return web.Response(status=answer.status, headers=headers)

    def _report(self, mid: str, to: str) -> None:
        if self.webhooks is None:
            return
        events = [event(kind, mid=mid, to=to) for kind in stub_plan.feedback(self.plan, mid)]
        if events:
            asyncio.get_running_loop().call_later(self.plan.feedback_after, self.webhooks.tell, events)

    async def summary(self, request: web.Request) -> web.Response:
        webhooks = self.webhooks
        return web.json_response(
            {
                "requests": sum(self.verdicts.values()),
                "messages": len(self.requests),
                "taken": sum(1 for received in self.requests.values() if any(one.taken for one in received)),
                "verdicts": dict(self.verdicts),
                "webhooks_delivered": webhooks.delivered if webhooks else 0,
                "webhooks_refused": webhooks.refused if webhooks else 0,
                "webhooks_open": webhooks.open_bundles if webhooks else 0,
            }
        )

    async def requests_of(self, request: web.Request) -> web.Response:
        return web.json_response([one.as_row() for one in self.requests.get(request.query["mid"], [])])

    async def change_plan(self, request: web.Request) -> web.Response:
        try:
            self.plan = stub_plan.read_plan(self.plan.as_dict() | await request.json())
        except (ValueError, TypeError) as error:
            return web.json_response({"error": str(error)}, status=400)
        return web.json_response(self.plan.as_dict())


def _reset(request: web.Request) -> web.Response:
    """Lose the answer: the connection is reset, not closed."""
    if request.transport is not None:
        connection: Any = request.transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        request.transport.abort()
    return web.Response(status=500)


async def _serve(directory: Path, host: str, port: int, selector: NotingSelector) -> None:
    stub = StubEsp(directory, selector)
    app = web.Application(client_max_size=4 * 1024 * 1024)
    app.router.add_post("/v3/mail/send", stub.send)
    app.router.add_get("/admin/summary", stub.summary)
    app.router.add_get("/admin/requests", stub.requests_of)
    app.router.add_put("/admin/plan", stub.change_plan)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, host, port, backlog=1024)
    await site.start()
    (directory / "port.new").write_text(str(runner.addresses[0][1]))
    (directory / "port.new").rename(directory / "port")
    webhooks = asyncio.create_task(stub.webhooks.run()) if stub.webhooks else None
    try:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            if webhooks is not None and webhooks.done():
                webhooks.result()  # a stub that stopped reporting must not go unnoticed
    finally:
        await runner.cleanup()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    arguments = parser.parse_args()
    selector = NotingSelector()
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selector)) as runner:
        runner.run(_serve(arguments.directory, arguments.host, arguments.port, selector))


if __name__ == "__main__":
    main()
