"""The way out: one event loop and one client session per process, the loop in a thread of its own.

The loop runs all the time, so it notices at once when a provider closes an idle connection, and never hands out a dead
one. Nothing in here touches the database. Nothing is retried in here, and no redirect is followed.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
import time
from collections.abc import Coroutine, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import uvloop

from contacts import chaos, outside
from delivery import starts

CONNECTIONS = 400  # in all, so that one provider that hangs does not keep the others waiting
CONNECTIONS_TO_ONE = 200
IDLE_SECONDS = 4.0  # providers close after five or more; a request on a connection that is just being closed is a doubt
SHORTEST_CONNECT = 0.05
READ_AT_MOST = 64 * 1024  # of an answer


class NotStarted(Exception):
    """This request was not made, and never will be: before its first byte the lease was over (`lease_over`), or its
    start could not be noted (`no_journal`)."""

    def __init__(self, reason: str = "lease_over") -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass
class Call:
    """One request as it is being made. `began`: its first byte may have left."""

    start_before: float  # by time.monotonic()
    began: bool = False
    mid: str = ""  # of the message that it carries, for the black box


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
    try:
        starts.start(call.mid)
    except starts.Unwritable as error:
        raise NotStarted("no_journal") from error
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
            connector=aiohttp.TCPConnector(
                limit=CONNECTIONS,
                limit_per_host=CONNECTIONS_TO_ONE,
                keepalive_timeout=IDLE_SECONDS,
                ttl_dns_cache=60,
            ),
            trace_configs=[trace],
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=True,
        )

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self.session.close(), self.loop).result(1.0)
        self.loop.call_soon_threadsafe(self.loop.stop)


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


@atexit.register
def close() -> None:
    """Close this process's connections, if it has any. The next request makes new ones, and looks for proxies anew."""
    _proxy_for.cache_clear()
    with _making:
        mine = _loops.pop(os.getpid(), None)
    if mine is not None:
        with suppress(TimeoutError, RuntimeError):  # whoever goes waits for nobody
            mine.close()


async def post(
    url: str, *, data: bytes, headers: Mapping[str, str], seconds: float, call: Call | None = None
) -> Reply | NoReply:
    """POST once. With `call`, the first byte leaves before `call.start_before`, or NotStarted is raised."""
    call = call or Call(float("inf"))
    if (left := call.start_before - time.monotonic()) < 0 and not chaos.mutant("no_lease_check"):
        raise NotStarted
    # a connection that takes longer than the lease has left would not be used
    connect = max(left, SHORTEST_CONNECT) if left < seconds else None
    timeout = aiohttp.ClientTimeout(total=seconds, connect=connect)
    return await _exchange("POST", url, data=data, headers=headers, call=call, timeout=timeout)


async def get(url: str, *, headers: Mapping[str, str], seconds: float) -> Reply | NoReply:
    """GET once, for questions that change nothing."""
    timeout = aiohttp.ClientTimeout(total=seconds)
    return await _exchange("GET", url, data=None, headers=headers, call=Call(float("inf")), timeout=timeout)


@lru_cache(maxsize=256)
def _proxy_for(url: str) -> str | None:
    """The one that HTTPS_PROXY or HTTP_PROXY names, unless NO_PROXY excepts the host; to ask it for a tunnel is no
    first byte yet. aiohttp by itself would look for it, and for a .netrc, in threads, at each request: half of its
    time."""
    parts = urlsplit(url)
    if parts.hostname is None or proxy_bypass(parts.hostname):
        return None
    return getproxies().get(parts.scheme)


async def _exchange(
    method: str,
    url: str,
    *,
    data: bytes | None,
    headers: Mapping[str, str],
    call: Call,
    timeout: aiohttp.ClientTimeout,
) -> Reply | NoReply:
    try:
        async with _here().session.request(
            method,
            url,
            data=data,
            headers=headers,
            timeout=timeout,
            proxy=_proxy_for(url),
            allow_redirects=False,
            trace_request_ctx=call,
        ) as response:
            body = bytearray()
            try:
                while len(body) < READ_AT_MOST and (piece := await response.content.read(READ_AT_MOST - len(body))):
                    body += piece
            except (aiohttp.ClientError, TimeoutError, OSError):
                if not 200 <= response.status < 300:
                    raise
                body.clear()  # "taken" was said in full; what else it wanted to say was not
            return Reply(response.status, response.headers, bytes(body))
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        return NoReply(call.began, type(error).__name__)
