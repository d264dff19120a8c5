"""Gunicorn's settings: `gunicorn --config python:config.web`. The address comes from the command line."""

from __future__ import annotations

import resource
import signal
from typing import Any

from config.processes import die_with_parent

MOST_DESCRIPTORS = 16_384
OTHER_DESCRIPTORS = 768  # connections that are seen off, to the database and to Redis, files


def _most_connections() -> int:
    """Of one worker. Everybody who is slow holds a descriptor, so as many are asked for as this account may have."""
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_DESCRIPTORS if most == resource.RLIM_INFINITY else min(MOST_DESCRIPTORS, most)
    if allowed < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
        allowed = wanted
    return max(min(allowed, MOST_DESCRIPTORS) - OTHER_DESCRIPTORS, 128)


workers = 2
worker_class = "config.doorkeeper.Doorkeeper"
threads = 8
worker_connections = _most_connections()
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
