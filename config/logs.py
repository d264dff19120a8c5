"""What is kept out of the logs."""

import logging


class NotProbes(logging.Filter):
    """An installation that is not ready says so in its answer; a line for each probe would drown the reasons."""

    def filter(self, record: logging.LogRecord) -> bool:
        path = getattr(getattr(record, "request", None), "path", "")
        return not path.startswith(("/readyz", "/healthz"))
