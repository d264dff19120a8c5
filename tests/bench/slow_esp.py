"""An ESP that takes everything, 20 ms after it was asked, over TLS as every ESP, and for as little of the machine as
Python allows.

    python -m tests.bench.slow_esp DIR

writes `DIR/port`, and `DIR/authorities.pem`: what clients are to trust, the world's authorities and its own among
them. `GET /` answers how many messages it took, and how many different ones."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import re
import ssl
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import certifi
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

LATENCY = 0.02
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_MID = re.compile(rb'"mid": ?"([^"]+)"')


class Books:
    def __init__(self) -> None:
        self.taken = 0
        self.mids: set[bytes] = set()


class Conversation(asyncio.Protocol):
    def __init__(self, books: Books) -> None:
        self._books, self._read, self._loop = books, b"", asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in deed, not in name

    def data_received(self, data: bytes) -> None:
        self._read += data
        while (end := self._read.find(b"\r\n\r\n")) >= 0:
            head = self._read[:end]
            found = _LENGTH.search(head)
            whole = end + 4 + (int(found[1]) if found else 0)
            if len(self._read) < whole:
                return
            body, self._read = self._read[end + 4 : whole], self._read[whole:]
            if head.startswith(b"GET"):
                counts = {"taken": self._books.taken, "different": len(self._books.mids)}
                self._answer(b"200 OK", json.dumps(counts).encode())
            else:
                mid = _MID.search(body)
                self._books.taken += 1
                self._books.mids.add(mid[1] if mid else body)
                self._loop.call_later(LATENCY, self._answer, b"202 Accepted", b"")

    def _answer(self, status: bytes, body: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body))


def _identity(directory: Path) -> ssl.SSLContext:
    """A certificate for 127.0.0.1 that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "bench")])
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    yesterday = datetime.now(UTC) - timedelta(days=1)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(yesterday)
        .not_valid_after(yesterday + timedelta(days=30))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    shown = certificate.public_bytes(Encoding.PEM)
    (directory / "authorities.pem").write_bytes(Path(certifi.where()).read_bytes() + shown)
    (directory / "esp.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + shown)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(directory / "esp.pem")
    return context


async def _serve(directory: Path) -> None:
    books = Books()
    server = await asyncio.get_running_loop().create_server(
        lambda: Conversation(books), "127.0.0.1", 0, backlog=1024, ssl=_identity(directory)
    )
    (directory / "port.new").write_text(str(server.sockets[0].getsockname()[1]))
    (directory / "port.new").rename(directory / "port")
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(Path(sys.argv[1])))
