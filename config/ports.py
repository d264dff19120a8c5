"""Ports of this machine."""

from __future__ import annotations

import errno
import socket

LOOPBACK = "127.0.0.1"
# From 32768 on the kernel lends ports to outgoing connections: one that was free a moment ago may be somebody's now.
BELOW = 32768
YIELD_SECONDS = 20.0  # for a server to notice that somebody else has its port, on a machine that is busy


class NoPort(Exception):
    """The message says which port, and why not."""


def hold(port: int) -> socket.socket:
    """A listening socket, so that nobody else takes the port before the server is up (to be bound is not enough: Linux
    lets two sockets be, as long as none of them listens). Whoever connects meanwhile waits. Raises NoPort."""
    holder = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections of the last run may linger
    try:
        holder.bind((LOOPBACK, port))
        holder.listen(128)
    except OSError as error:
        holder.close()
        if error.errno == errno.EACCES:
            raise NoPort(f"Port {port} may only be used by root") from error
        if error.errno == errno.EADDRINUSE:
            raise NoPort(f"Port {port} is taken by another program") from error
        raise
    return holder


def hold_free(first: int, count: int = 200) -> socket.socket:
    """The first free port from `first` on. Raises NoPort."""
    for port in range(first, min(first + count, BELOW)):
        try:
            return hold(port)
        except NoPort:
            continue
    raise NoPort(f"No port from {first} to {min(first + count, BELOW) - 1} is free")


def free(first: int) -> int:
    """A port that could be bound just now. Whoever starts a server on it must be ready to try the next one."""
    with hold_free(first) as holder:
        return holder.getsockname()[1]
