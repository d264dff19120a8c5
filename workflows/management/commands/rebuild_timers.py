"""`rebuild_timers`: write the index of wake times in Redis anew from the rows."""

from __future__ import annotations

import time
from typing import Any

import redis
from django.core.management.base import BaseCommand, CommandError

from contacts import clock
from contacts.progress import Progress
from workflows import timers


class Command(BaseCommand):
    help = (
        "Writes the wake time of every wait into the index in Redis. Dispatchers do this by themselves when they find "
        "the index gone; nothing is late for want of it by more than a sweep. May run beside everything else."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        now = clock.now()
        total, progress, began = timers.count_waiting(now=now), Progress(self.stderr), time.monotonic()
        try:
            written = timers.rebuild(now=now, tell=lambda count: progress.show(count, total, f"{count:,} waits"))
        except timers.RebuildStopped as error:
            raise CommandError(
                "Redis was emptied meanwhile, or a dispatcher began to rebuild the index: look again in a few seconds"
            ) from error
        except redis.RedisError as error:
            raise CommandError(f"Redis is away: {type(error).__name__}") from error
        finally:
            progress.clear()
        self.stdout.write(f"{written:,} waits written in {time.monotonic() - began:.1f} s")
