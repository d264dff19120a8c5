"""What is kept out of the logs."""

import logging
import re

# PostgreSQL repeats the values of a row that it refuses: Key (address)=(…) already exists
_VALUES = re.compile(r"^(\s*(?:DETAIL|CONTEXT):).*$", re.MULTILINE)
# These addresses are keys to what one person chose; framework and server name the address of a request that failed
_TOKENS = re.compile(r"(/(?:u|preferences|confirm|c|o)/)[\w.~%-]{12,}")


class Line(logging.Formatter):
    """A line, or a traceback, without what it says of a person."""

    def format(self, record: logging.LogRecord) -> str:
        return _TOKENS.sub(r"\1…", _VALUES.sub(r"\1 …", super().format(record)))


class NotProbes(logging.Filter):
    """An installation that is not ready says so in its answer; a line for each probe would drown the reasons."""

    def filter(self, record: logging.LogRecord) -> bool:
        path = getattr(getattr(record, "request", None), "path", "")
        return not path.startswith(("/readyz", "/healthz"))
