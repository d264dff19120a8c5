"""One request to somebody else's server: bounded in time and size, to an address that was looked at, nowhere else.

No redirect is followed, no proxy of the environment is used, no connection is kept. Nothing in here touches the
database."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from django.conf import settings
from yarl import URL

from delivery import transport
from delivery.outgoing import targets
from delivery.outgoing.targets import BadTarget

READ_AT_MOST = 64 * 1024
LONGEST_ANSWER_HEADER = 8190


@dataclass(frozen=True)
class Request:
    """What to send. `body` empty: none."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Answered:
    """A full answer; `is_whole` says whether all of its body is here."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    is_whole: bool


@dataclass(frozen=True)
class Unanswered:
    """No answer. `refused`: we did not even ask, since the target is none that may be asked (then it is asked never);
    `reason` is one word."""

    reason: str
    refused: bool = False


class _Vetting(AbstractResolver):
    """Looks a name up, and gives only addresses that may be asked: aiohttp connects to what it is given here."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await look_up(host, port)
        targets.vetted(host, [address for address, _ in found])
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=socket.AI_NUMERICHOST)
            for address, family in found
        ]

    async def close(self) -> None:
        pass


async def look_up(host: str, port: int) -> list[tuple[str, int]]:
    """The addresses of a name, with their families. Raises OSError."""
    rows = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [(str(address[0]), family) for family, _, _, _, address in rows]


def start(request: Request) -> Future[Answered | Unanswered]:
    """Make the request on this process's loop; the future never raises."""
    return transport.start(_make(request))


async def _make(request: Request) -> Answered | Unanswered:
    try:
        target = targets.check(request.url)
        async with asyncio.timeout(settings.WEBHOOK_TIMEOUT_SECONDS):
            return await _ask(request, target)
    except BadTarget as error:
        return Unanswered(error.code, refused=True)
    except TimeoutError:
        return Unanswered("timeout")
    except aiohttp.ClientConnectorCertificateError:
        return Unanswered("bad_certificate")
    except aiohttp.ClientConnectorDNSError:
        return Unanswered("unknown_host")
    except aiohttp.ClientConnectionError as error:
        refused = _bad_target(error)
        return Unanswered(refused.code, refused=True) if refused else Unanswered("no_connection")
    except (aiohttp.ClientError, OSError, ValueError, UnicodeError) as error:
        refused = _bad_target(error)
        return Unanswered(refused.code, refused=True) if refused else Unanswered("no_answer")


async def _ask(request: Request, target: targets.Target) -> Answered:
    connector = aiohttp.TCPConnector(resolver=_Vetting(), use_dns_cache=False, force_close=True, limit=1)
    async with aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,  # a small body may hold a large one
        trust_env=False,
        max_field_size=LONGEST_ANSWER_HEADER,
    ) as session:
        headers = {"User-Agent": "Carillon", "Accept-Encoding": "identity", **request.headers}
        async with session.request(
            request.method,
            URL(target.url, encoded=True),
            data=request.body or None,
            headers=headers,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=settings.WEBHOOK_TIMEOUT_SECONDS),
        ) as response:
            body = await _read(response)
            kept = {name.lower(): value for name, value in response.headers.items()}
            return Answered(response.status, kept, body[:READ_AT_MOST], len(body) <= READ_AT_MOST)


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """At most one byte more than is kept."""
    pieces: list[bytes] = []
    size = 0
    while size <= READ_AT_MOST:
        piece = await response.content.read(READ_AT_MOST + 1 - size)
        if not piece:
            break
        pieces.append(piece)
        size += len(piece)
    return b"".join(pieces)


def _bad_target(error: BaseException | None) -> BadTarget | None:
    """The guard's word, wherever a client wrapped it."""
    seen: Any = error
    while seen is not None:
        if isinstance(seen, BadTarget):
            return seen
        seen = seen.__cause__ or seen.__context__ or getattr(seen, "os_error", None)
    return None
