"""Gunicorn's settings: `gunicorn --config python:config.web`. The address comes from the command line."""

from __future__ import annotations

import signal
from typing import Any

from config.processes import die_with_parent

workers = 2
worker_class = "gthread"
threads = 8
preload_app = True  # one import for all workers; nothing connects while the code is loaded
timeout = 60
graceful_timeout = 5
keepalive = 5
accesslog = None  # paths carry tokens that belong to a person
errorlog = "-"
loglevel = "warning"
control_socket_disable = True


def post_fork(server: Any, worker: Any) -> None:
    """A worker whose master was killed would keep on answering beside the next one."""
    if ask := die_with_parent(signal.SIGKILL, parent=worker.ppid):
        ask()
