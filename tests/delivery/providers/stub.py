"""A provider's server in this process, on a loopback port, for whatever is spoken there over HTTP: it keeps what it was
sent, and answers, hangs, or breaks the connection as it is told."""

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

BEFORE_BODY = "before_body"  # the connection is reset once the headers were read
AFTER_BODY = "after_body"  # … once the request was read whole
IN_ANSWER = "in_answer"  # … in the middle of the answer's body


@dataclass(frozen=True)
class Reaction:
    status: int = 200
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    latency: float = 0.0
    breaks: str = ""


@dataclass(frozen=True)
class Received:
    at: float
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


class Stub:
    """`react(request)`: what to answer."""

    def __init__(self, ssl: Any = None) -> None:
        self.received: list[Received] = []
        self.react: Callable[[Received], Reaction] = lambda request: Reaction()
        self._ssl = ssl
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(10)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(app, access_log=None)
        self._loop.run_until_complete(runner.setup())
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=self._ssl)
        self._loop.run_until_complete(site.start())
        self.port = runner.addresses[0][1]
        self.url = f"http{'s' if self._ssl else ''}://127.0.0.1:{self.port}"
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())
        self._loop.close()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        early = Received(
            time.monotonic(), request.method, request.path, dict(request.query), dict(request.headers), b""
        )
        if self.react(early).breaks == BEFORE_BODY:
            self.received.append(early)
            return _reset(request)
        received = Received(*(vars(early) | {"body": await request.read()}).values())
        self.received.append(received)
        reaction = self.react(received)
        await asyncio.sleep(reaction.latency)
        if reaction.breaks == AFTER_BODY:
            return _reset(request)
        if reaction.breaks == IN_ANSWER:
            answer = web.StreamResponse(status=reaction.status, headers={"Content-Length": "1000"})
            await answer.prepare(request)
            await answer.write(b'{"')
            return _reset(request)
        return web.Response(status=reaction.status, headers=reaction.headers, text=reaction.body)


def _reset(request: web.Request) -> web.Response:
    assert request.transport is not None
    connection = request.transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.transport.abort()
    return web.Response()
