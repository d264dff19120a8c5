"""`rebuild_timers`: write the index of wake times in Redis anew from the rows."""

from __future__ import annotations

import time
from typing import Any

import redis
from django.core.management.base import CommandError

from contacts import clock
from contacts.management.manners import HouseCommand
from contacts.progress import Progress
from workflows import timers


class Command(HouseCommand):
    help = (
        "Writes the wake time of every wait into the index in Redis. Dispatchers do this by themselves when they find "
        "the index gone; nothing is late for want of it by more than a sweep. May run beside everything else."
    )
    examples = (
        "rebuild_timers",
        "rebuild_timers --dry-run --json  # how many waits there are",
    )
    exit_codes = {1: "Redis is away, or was emptied meanwhile"}
    json_of = "the count as one JSON object"
    dry_run = "count the waits, write nothing"

    def handle(self, *args: Any, **options: Any) -> None:
        now = clock.now()
        total, progress, began = timers.count_waiting(now=now), Progress(self.stderr), time.monotonic()
        if options["dry_run"]:
            self.tell({"waits": total, "written": 0}, f"{total:,} waits; nothing written", as_json=options["as_json"])
            return
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
        seconds = time.monotonic() - began
        self.tell(
            {"waits": total, "written": written, "seconds": round(seconds, 3)},
            f"{written:,} waits written in {seconds:.1f} s",
            as_json=options["as_json"],
        )
