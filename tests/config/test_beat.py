"""The beat ends at once and never in the middle of a tick."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest
from django.conf import settings

# A scheduler whose tick holds what it needs to write the schedule down, as a statement holds its connection.
BEAT = """
import threading, time
from celery.apps.beat import Beat
from celery.beat import Scheduler, Service
from config.celery import app

class Busy(Scheduler):
    lock = threading.Lock()

    def tick(self):
        with self.lock:
            print("ticking", flush=True)
            time.sleep(0.6)
        print("sleeping", flush=True)
        return 60

    def sync(self):
        with self.lock:
            print("written down", flush=True)

service = Service(app=app, scheduler_cls=Busy)
Beat(app=app).install_sync_handler(service)
service.start()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("moment", ["ticking", "sleeping"])
def test_it_ends_between_two_ticks_and_the_schedule_is_written_down(moment, number):
    beat = subprocess.Popen([sys.executable, "-c", BEAT], cwd=settings.BASE_DIR, stdout=subprocess.PIPE, text=True)
    assert beat.stdout is not None
    try:
        for line in beat.stdout:
            if line.strip() == moment:
                break
        time.sleep(0.1)  # it is in the midst of it
        beat.send_signal(number)
        told, _ = beat.communicate(timeout=30)
    finally:
        beat.kill()
    assert (beat.returncode, told.split()) == (0, ["sleeping"] * (moment == "ticking") + ["written", "down"])
