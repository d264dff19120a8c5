"""How the beat ends: between two ticks, at once.

Celery's own handler writes the schedule down within the signal, whatever the signal has interrupted. Where that is a
statement, it waits for the lock of the connection that its own thread holds, for ever, and has to be killed."""

from __future__ import annotations

import signal
from types import FrameType

from celery.beat import Service

AGAIN_SECONDS = 0.05  # how soon it is looked again whether the tick is over


def end_between_ticks(service: Service) -> None:
    """From the signal `beat_init`, which comes after Celery has set its handler. The loop sleeps in its own frame, so
    whatever is interrupted in another one is a tick, and is let finish; leaving the loop writes the schedule down."""
    loop = type(service).start.__code__

    def leave(number: int, frame: FrameType | None) -> None:
        if frame is not None and frame.f_code is loop:
            raise SystemExit
        signal.setitimer(signal.ITIMER_REAL, AGAIN_SECONDS)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
        signal.signal(number, leave)
