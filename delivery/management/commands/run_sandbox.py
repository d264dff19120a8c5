"""Let the sandbox's people react to the mail that they get, until told to stop."""

from __future__ import annotations

import logging
import signal
import threading
from typing import Any

from django.db import OperationalError, connection

from contacts.management.manners import HouseCommand
from delivery.providers.sandbox import people as sandbox_people
from delivery.providers.sandbox.people import WebIsAway

log = logging.getLogger(__name__)

IDLE_SECONDS = 0.1
PATIENT_SECONDS = 1.0


class Command(HouseCommand):
    help = "Let the sandbox's people open, click, complain and unsubscribe. Runs until it is told to stop."
    examples = ("run_sandbox  # bin/up starts this with EMAIL_PROVIDER=sandbox",)
    exit_codes = {0: "it was told to stop"}
    no_json = "has no result: it runs until it is told to stop"

    def handle(self, *args: Any, **options: Any) -> None:
        stopped = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stopped.set())
        while not stopped.is_set():
            stopped.wait(self._one_round())

    def _one_round(self) -> float:
        """Returns how long to rest before the next one."""
        try:
            return 0.0 if sandbox_people.react_batch() else IDLE_SECONDS
        except WebIsAway:
            log.info("the web is away; what people did is told later")
        except OperationalError as error:
            log.warning("the database is away: %s", type(error).__name__)
            connection.close()
        return PATIENT_SECONDS
