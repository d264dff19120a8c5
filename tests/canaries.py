"""No log says who somebody is, or a secret. What the tests make people, keys and secrets of can be told from anything
else that a log holds, so every line that any test logs is looked at (tests/conftest.py), and every log file of the
processes that stories, drills and tests over a network start.

A test that wants to log such a thing on purpose uses an address outside these domains."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from pathlib import Path

from config.logs import Line

# RFC 2606 keeps these domains for examples: whoever has an address there was made up by a test
ADDRESS = re.compile(r"[\w.+%-]+(?:@|%40)[\w.-]*\b(?:example(?:\.com|\.net|\.org)?|test|invalid)\b", re.IGNORECASE)
SECRETS = {
    "an API key": re.compile(r"\bmk_(?:live|test)_\w{8}_\w{8,}"),
    "a write key": re.compile(r"\bwk_\w{8,}"),
    "a secret of webhooks": re.compile(r"\bwhsec_[\w+/=]{8,}"),
    "a key of SendGrid": re.compile(r"\bSG\.[\w-]{6,}\.[\w-]{6,}"),
    "a bearer": re.compile(r"\b(?:Bearer|Basic) [\w.+/=-]{16,}"),
    "somebody's token": re.compile(r"/(?:u|preferences|confirm)/[\w.~%-]{20,}"),
    "a password": re.compile(r"\b(?:postgres|postgresql|rediss?|amqps?)://[^\s:@/]*:(?!\*\*)[^\s@/]+@"),
}
# Not of people: where the installation itself sends from, as a setting says it.
OURS = frozenset({"hello@carillon.example"})

NOT_OURS = frozenset({"mail.log"})  # aiosmtpd's: the mail server that tests send to, which runs in their process


def found_in(text: str) -> str:
    """What a log line says that no log may say, in words; empty where it says nothing of it."""
    for address in ADDRESS.findall(text):
        if address.lower() not in OURS:
            return "an address"
    return next((name for name, pattern in SECRETS.items() if pattern.search(text)), "")


class Listener(logging.Handler):
    """Keeps the lines that say too much. Formatted as the house's own handler does, tracebacks included."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)  # as LOG_LEVEL is; who asks for more gets the statements of the database, too
        self.setFormatter(Line("%(levelname)s %(name)s %(message)s"))
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.name in NOT_OURS:
            return
        try:
            line = self.format(record)
        except Exception:  # what cannot be formatted was not written either: logging complains of it by itself
            return
        if found := found_in(line):
            self.said.append(f"{found} in the log: {line}")


def refuse_in_files(folder: Path) -> None:
    """For the log files below a folder, when those who write them have ended."""
    said = list(_lines_that_say_too_much(folder.rglob("*.log*")))
    assert not said, "\n".join(said[:10])


def _lines_that_say_too_much(files: Iterable[Path]) -> Iterable[str]:
    for path in files:
        with path.open(encoding="utf-8", errors="replace") as file:
            for line in file:
                if found := found_in(line):
                    yield f"{found} in {path.name}: {line.rstrip()}"
