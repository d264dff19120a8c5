"""Runs a program of the product whose machine's clock is wrong.

    python -m tests.drills.rig.skewed SECONDS (-m MODULE | FILE) [ARGUMENTS…]

`time.time` of the whole process, Celery's and kombu's included, is so many seconds ahead (behind, if negative).
PostgreSQL's clock and CLOCK_MONOTONIC stay what they are."""

from __future__ import annotations

import runpy
import sys
import time


def set_wrong(seconds: float) -> None:
    """Before anything else is imported: many a module keeps `time.time` under a name of its own."""
    right, right_ns = time.time, time.time_ns
    time.time = lambda: right() + seconds
    time.time_ns = lambda: right_ns() + round(seconds * 1e9)


def main(seconds: str, *command: str) -> None:
    set_wrong(float(seconds))
    if command[0] == "-m":
        sys.argv = list(command[1:])
        runpy.run_module(command[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = list(command)
        runpy.run_path(command[0], run_name="__main__")


if __name__ == "__main__":
    main(*sys.argv[1:])
