"""Gunicorn's worker with threads, and a door that no slow caller blocks: whoever has not said yet what he wants costs a
file descriptor, not one of the few threads.

`gthread` gives a new connection to a thread at once, which then waits for the rest of the head of the request as long
as it takes; and its one loop waits for callers to hang up, two seconds each. Sixteen slow callers, or a few that do not
hang up, and nobody is served (docs/decisions/0053). Here the loop itself collects heads and sees callers off, without
waiting for any one of them.

Bodies are still read by threads: what faces the internet has a proxy in front that collects them
(docs/operations/nginx.conf). Between two pieces of a body nobody is waited for longer than SILENCE_SECONDS."""

from __future__ import annotations

import contextlib
import enum
import errno
import socket
import struct
import time
from functools import partial
from selectors import EVENT_READ
from typing import Any

from gunicorn import util
from gunicorn.errors import ConfigError
from gunicorn.workers.gthread import TConn, ThreadWorker

HEAD_SECONDS = 10.0  # for the whole head of a request, however it trickles in
HEAD_BYTES = 32 * 1024  # what nginx allows; gunicorn alone would keep 800 kB of every caller
SILENCE_SECONDS = 30  # of somebody whose body we read, or who reads our answer
LINGER_SECONDS = 2.0  # for an answer to arrive before its connection ends (RFC 9112, 9.6)
LINGER_BYTES = 4 * 1024 * 1024  # of a body that nobody wants: read and forgotten meanwhile
MOST_LINGERING = 512
STOPPING_SECONDS = 1.0  # for heads, when the worker is asked to end
TAKEN_AT_ONCE = 64
PIECE = 64 * 1024

_END = b"\r\n\r\n"
_EMPTY_LINE = b"\r\n"  # one is allowed before a request, and says nothing (RFC 9112, 2.2)
_COMPLAINT = b"The head of the request is larger than 32 kB.\n"
_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\nContent-Type: text/plain\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(_COMPLAINT), _COMPLAINT)
)
_NOBODY_THERE = {errno.EAGAIN, errno.EWOULDBLOCK, errno.ECONNABORTED}
_NO_DESCRIPTORS = {errno.EMFILE, errno.ENFILE}


class Head(enum.Enum):
    INCOMPLETE = enum.auto()
    COMPLETE = enum.auto()
    TOO_LARGE = enum.auto()
    GONE = enum.auto()


class Caller(TConn):
    """A connection that leaves the waiting for its end to the loop."""

    def __init__(self, doorkeeper: Doorkeeper, connection: socket.socket, address: Any, here: Any) -> None:
        super().__init__(doorkeeper.cfg, connection, address, here)
        self.doorkeeper = doorkeeper
        self.drained = 0

    def close(self, graceful: bool = False) -> None:
        if graceful:
            self.doorkeeper.see_off(self)
        else:
            util.close(self.sock)

    def read_head(self) -> Head:
        """What has come is kept where gunicorn's parser looks first."""
        kept = self.parser.unreader.buf
        if kept.tell() and _complete(kept.getvalue()):
            return Head.COMPLETE  # sent together with the request before
        try:
            piece = self.sock.recv(PIECE)
        except BlockingIOError:
            return Head.INCOMPLETE
        except OSError:
            return Head.GONE
        if not piece:
            return Head.GONE
        kept.seek(0, 2)
        kept.write(piece)
        if _complete(kept.getvalue()):
            return Head.COMPLETE
        return Head.TOO_LARGE if kept.tell() > HEAD_BYTES else Head.INCOMPLETE

    def drain(self) -> bool:
        """Whether the other side has hung up, or has been listened to long enough."""
        try:
            while piece := self.sock.recv(PIECE):
                self.drained += len(piece)
                if self.drained > LINGER_BYTES:
                    return True
        except BlockingIOError:
            return False
        except OSError:
            pass
        return True


def _complete(said: bytes) -> bool:
    return said.find(_END, len(_EMPTY_LINE) if said.startswith(_EMPTY_LINE) else 0) >= 0


class Doorkeeper(ThreadWorker):
    """`heads` and `leaving`: since when each connection is waited for, the longest first."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.heads: dict[Caller, float] = {}
        self.leaving: dict[Caller, float] = {}

    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:
        if cfg.is_ssl:
            raise ConfigError("The web speaks plain HTTP; TLS ends at the proxy in front (docs/operations/nginx.conf)")
        super().check_config(cfg, log)

    def accept(self, listener: socket.socket) -> None:
        """Several at once: the loop comes back here only after everything else that has happened."""
        for _ in range(TAKEN_AT_ONCE):
            try:
                connection, address = listener.accept()
            except OSError as error:
                if error.errno in _NOBODY_THERE or (error.errno in _NO_DESCRIPTORS and self._make_room()):
                    return
                raise
            self.nr_conns += 1
            for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
                connection.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", SILENCE_SECONDS, 0))
            caller = Caller(self, connection, address, listener.getsockname())
            caller.init()
            self.enqueue_req(caller)
            if self.nr_conns >= self.worker_connections and not self._make_room():
                return  # all of them are being served

    def enqueue_req(self, conn: Caller) -> None:
        """To a thread, if the head of a request is there, which it nearly always is; else it is waited for."""
        conn.sock.setblocking(False)
        head = conn.read_head()
        if head is Head.INCOMPLETE:
            self.heads[conn] = time.monotonic()
            self.poller.register(conn.sock, EVENT_READ, partial(self._go_on, conn))
        else:
            self._decide(conn, head)

    def _go_on(self, conn: Caller, _: Any) -> None:
        head = conn.read_head()
        if head is not Head.INCOMPLETE:
            self._stop_waiting(conn, self.heads)
            self._decide(conn, head)

    def _decide(self, conn: Caller, head: Head) -> None:
        if head is Head.COMPLETE:
            super().enqueue_req(conn)
            return
        self.nr_conns -= 1
        if head is Head.TOO_LARGE:
            with contextlib.suppress(OSError):
                conn.sock.send(_TOO_LARGE)
            self.see_off(conn)
        else:
            conn.close()

    def _stop_waiting(self, conn: Caller, where: dict[Caller, float]) -> None:
        del where[conn]
        self.poller.unregister(conn.sock)

    def _turn_away(self, conn: Caller) -> None:
        self._stop_waiting(conn, self.heads)
        self.nr_conns -= 1
        conn.close()

    def _make_room(self) -> bool:
        """Whoever was waited for longest goes; else whoever was served and said nothing since."""
        if self.heads:
            self._turn_away(next(iter(self.heads)))
            return True
        if self.keepalived_conns:
            silent = self.keepalived_conns.popleft()
            self.poller.unregister(silent.sock)
            self.nr_conns -= 1
            silent.close()
            return True
        return False

    def see_off(self, conn: Caller) -> None:
        """Ends a connection so that the other side gets the answer whole, also one that is still sending."""
        try:
            conn.sock.shutdown(socket.SHUT_WR)
            conn.sock.setblocking(False)
        except OSError:
            conn.close()
            return
        if conn.drain():
            conn.close()
            return
        if len(self.leaving) >= MOST_LINGERING:
            self._let_go(next(iter(self.leaving)))
        self.leaving[conn] = time.monotonic()
        self.poller.register(conn.sock, EVENT_READ, partial(self._listen_on, conn))

    def _listen_on(self, conn: Caller, _: Any) -> None:
        if conn.drain():
            self._let_go(conn)

    def _let_go(self, conn: Caller) -> None:
        self._stop_waiting(conn, self.leaving)
        conn.close()

    def murder_pending(self) -> None:
        """The loop calls this at every turn."""
        now = time.monotonic()
        patience = HEAD_SECONDS if self.alive else STOPPING_SECONDS
        while self.heads and now - self.heads[conn := next(iter(self.heads))] > patience:
            self._turn_away(conn)
        while self.leaving and now - self.leaving[conn := next(iter(self.leaving))] > LINGER_SECONDS:
            self._let_go(conn)
