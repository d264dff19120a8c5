"""A stub of SendGrid's mail/send in this process, on a loopback port: records what starts, answers as it is told."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass(frozen=True)
class Reaction:
    """`status` None: the connection is reset after the request was read whole."""

    status: int | None = 202
    latency: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""


@dataclass(frozen=True)
class Received:
    at: float  # time.monotonic()
    mid: str
    to: str
    body: dict[str, Any]
    headers: dict[str, str]


class Esp:
    """`react(nth, body)`: what to answer to the nth request (from 0) for the message of this body."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.react: Callable[[int, dict[str, Any]], Reaction] = lambda nth, body: Reaction()
        self.arrived = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(10)

    def times(self, mid: str) -> int:
        return sum(1 for each in self.received if each.mid == mid)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        app = web.Application(client_max_size=2**24)
        app.router.add_post("/v3/mail/send", self._send)
        runner = web.AppRunner(app, access_log=None)
        self._loop.run_until_complete(runner.setup())
        site = web.TCPSite(runner, "127.0.0.1", 0)
        self._loop.run_until_complete(site.start())
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())
        self._loop.close()

    async def _send(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        person = body["personalizations"][0]
        mid = person["custom_args"]["mid"]
        reaction = self.react(self.times(mid), body)
        self.received.append(Received(time.monotonic(), mid, person["to"][0]["email"], body, dict(request.headers)))
        self.arrived.set()
        await asyncio.sleep(reaction.latency)
        if reaction.status is None:
            assert request.transport is not None
            connection = request.transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            request.transport.abort()
            return web.Response()
        return web.Response(status=reaction.status, headers=reaction.headers, text=reaction.body)
