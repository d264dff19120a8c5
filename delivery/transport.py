"""The way out: one event loop and one client session per process, the loop in a thread of its own.

The loop runs all the time, so it notices at once when a provider closes an idle connection, and never hands out a dead
one. Nothing in here touches the database. Nothing is retried in here, and no redirect is followed.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Coroutine, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import aiohttp
import uvloop

from contacts import chaos, outside

CONNECTIONS = 200
IDLE_SECONDS = 4.0  # providers close after five or more; a request on a connection that is just being closed is a doubt
READ_AT_MOST = 64 * 1024  # of an answer


class NotStarted(Exception):
    """The lease was over before the first byte: this request was not made, and never will be."""


@dataclass
class Call:
    """One request as it is being made. `began`: its first byte may have left."""

    start_before: float  # by time.monotonic()
    began: bool = False


@dataclass(frozen=True)
class Reply:
    """A full answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class NoReply:
    """No answer. `began`: whether the request may have reached the other side all the same."""

    began: bool
    why: str


async def _before_first_byte(session: aiohttp.ClientSession, context: SimpleNamespace, params: Any) -> None:
    """aiohttp calls this when the connection stands, new or used before, and the headers are about to be written: the
    last moment at which a request can be stopped for certain."""
    call: Call | None = context.trace_request_ctx
    if call is None:
        return
    if time.monotonic() > call.start_before and not chaos.mutant("no_lease_check"):
        raise NotStarted
    call.began = True


class _Loop:
    """This process's event loop and session, made when they are first needed."""

    def __init__(self) -> None:
        self.loop = uvloop.new_event_loop()
        threading.Thread(target=self._run, name="transport", daemon=True).start()
        self.session: aiohttp.ClientSession = asyncio.run_coroutine_threadsafe(self._open(), self.loop).result()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    async def _open(self) -> aiohttp.ClientSession:
        trace = aiohttp.TraceConfig()
        trace.on_request_headers_sent.append(_before_first_byte)
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=CONNECTIONS, keepalive_timeout=IDLE_SECONDS, ttl_dns_cache=60),
            trace_configs=[trace],
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=True,
            trust_env=True,
        )


_loops: dict[int, _Loop] = {}
_making = threading.Lock()


def _here() -> _Loop:
    outside.check_open()
    with _making:
        if os.getpid() not in _loops:  # a forked child has its parent's loop, and no thread that runs it
            _loops[os.getpid()] = _Loop()
        return _loops[os.getpid()]


def start(work: Coroutine[Any, Any, Any]) -> Future[Any]:
    """Run the coroutine on the loop; the caller waits for the future."""
    return asyncio.run_coroutine_threadsafe(work, _here().loop)


async def post(
    url: str, *, data: bytes, headers: Mapping[str, str], seconds: float, call: Call | None = None
) -> Reply | NoReply:
    """POST once. With `call`, the first byte leaves before `call.start_before`, or NotStarted is raised."""
    call = call or Call(float("inf"))
    if time.monotonic() > call.start_before and not chaos.mutant("no_lease_check"):
        raise NotStarted
    try:
        async with _here().session.post(
            url,
            data=data,
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=seconds),
            allow_redirects=False,
            trace_request_ctx=call,
        ) as response:
            try:
                body = await response.content.read(READ_AT_MOST)
            except (aiohttp.ClientError, TimeoutError, OSError):
                if not 200 <= response.status < 300:
                    raise
                body = b""  # "taken" was said in full; what else it wanted to say does not matter
            return Reply(response.status, response.headers, body)
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        return NoReply(call.began, type(error).__name__)
