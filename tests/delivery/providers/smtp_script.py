"""A mail server that follows a script: at each step it says what it was told to say, waits, or hangs up. It notes which
mails it has: those whose last line, the lone dot, it has read."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

GOOD = {
    "greeting": "220 mail.example",
    "ehlo": "250-mail.example\r\n250 SIZE 1000000",
    "mail": "250 ok",
    "rcpt": "250 ok",
    "data": "354 go on",
    "dot": "250 2.0.0 queued as 1",
    "rset": "250 ok",
    "quit": "221 bye",
}
HANG_UP, RESET = "hang up", "reset"


@dataclass
class Say:
    """At one step: words, HANG_UP or RESET, after `wait` seconds; `times`: so often, then as usual."""

    words: str
    wait: float = 0.0
    times: int = 1_000_000


class Script:
    def __init__(self, *, hangs_up_after: int = 1_000_000, **steps: str | Say) -> None:
        """`hangs_up_after`: so many mails on one connection, without a word."""
        self._most = hangs_up_after
        self._steps: Mapping[str, Any] = {
            name: said if isinstance(said, Say) else Say(said) for name, said in steps.items()
        }
        self.heard: list[str] = []
        self.mails: list[bytes] = []
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()

    def stop(self) -> None:
        self._listener.close()

    def _listen(self) -> None:
        while True:
            try:
                line, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._talk, args=(line,), daemon=True).start()

    def _talk(self, line: socket.socket) -> None:
        file = line.makefile("rb")
        had = 0
        try:
            self._say(line, "greeting")
            while had < self._most and (command := file.readline()):
                self.heard.append(command.decode("utf-8", "replace").strip())
                step = command.split()[0].lower().decode()
                self._say(line, step)
                if step == "data" and self._says("data", peek=True).startswith("354"):
                    self._read_mail(line, file)
                    had += 1
            line.shutdown(socket.SHUT_RDWR)
        except (OSError, ConnectionError, IndexError):
            pass
        finally:
            line.close()

    def _read_mail(self, line: socket.socket, file: Any) -> None:
        if "body" in self._steps:
            file.readline()
            self._say(line, "body")
        mail = b""
        while (row := file.readline()) != b".\r\n":
            if not row:
                raise ConnectionError
            mail += row[1:] if row.startswith(b".") else row
        self.mails.append(mail)
        self._say(line, "dot")

    def _says(self, step: str, *, peek: bool = False) -> str:
        said = self._steps.get(step)
        if said is None or said.times <= 0:
            return GOOD.get(step, "502 what?")
        if not peek:
            said.times -= 1
            time.sleep(said.wait)
        return str(said.words)

    def _say(self, line: socket.socket, step: str) -> None:
        words = self._says(step)
        if words in (HANG_UP, RESET):
            if words == RESET:
                line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            else:
                line.shutdown(socket.SHUT_RDWR)
            raise ConnectionError
        line.sendall(f"{words}\r\n".encode())
