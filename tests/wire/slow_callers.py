"""A crowd of callers who never come to the point: each says a byte of the head, or of the body, of his request every
few seconds, and calls again when he is cut off.

    python -m tests.wire.slow_callers --port 8000 --count 5000 [--bodies] [--spread]

Prints `calling` once all are connected, `cut off` when one was for the first time, and goes on until it is ended."""

from __future__ import annotations

import argparse
import resource
import socket
import time

HEAD = b"POST /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
SECONDS_BETWEEN = 2.0


class Caller:
    """One of them, at his own address of this machine; `said` counts the bytes that trickled."""

    def __init__(self, port: int, opening: bytes, address: str) -> None:
        self.port, self.opening, self.address, self.said = port, opening, address, 0
        self.connection: socket.socket | None = None

    def call(self) -> None:
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=30, source_address=(self.address, 0))
        connection.sendall(self.opening)
        connection.setblocking(False)
        self.connection = connection

    def trickle(self) -> bool:
        """Whether he was cut off; he calls again at the next turn."""
        if self.connection is None:
            self.call()
            return False
        try:
            self.connection.send(b"X" if self.said % 40 else b"Y")
            self.said += 1
        except OSError:
            self.connection.close()
            self.connection = None
            return True
        return False


def main() -> None:
    parser = argparse.ArgumentParser(prog="slow_callers", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--bodies", action="store_true", help="whole heads, and slow bodies")
    parser.add_argument("--spread", action="store_true", help="from two hundred addresses (Linux), not from one")
    options = parser.parse_args()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

    opening = HEAD + (b"Content-Length: 60000\r\n\r\n{" if options.bodies else b"X-Slow: ")
    addresses = [f"127.0.1.{n}" for n in range(1, 201)] if options.spread else ["127.0.0.1"]
    callers = [Caller(options.port, opening, addresses[n % len(addresses)]) for n in range(options.count)]
    for caller in callers:
        caller.call()
    print("calling", flush=True)
    told = False
    while True:
        started = time.monotonic()
        cut_off = [caller.trickle() for caller in callers]
        if any(cut_off) and not told:
            told = True
            print("cut off", flush=True)
        time.sleep(max(0.0, SECONDS_BETWEEN - (time.monotonic() - started)))


if __name__ == "__main__":
    main()
