"""The timer dispatcher, a process of its own."""

from __future__ import annotations

import logging
import signal
import time
from typing import Any

from django.db import DatabaseError, close_old_connections, connection

from contacts.heartbeat import Heartbeat
from contacts.management.manners import HouseCommand
from workflows.dispatcher import Dispatcher

log = logging.getLogger(__name__)


class Command(HouseCommand):
    help = "Ring the engine's doorbell whenever a wait ends. Any number of these may run."
    examples = ("run_dispatcher  # one is enough; bin/up starts one",)
    exit_codes = {0: "it was told to stop"}
    no_json = "has no result: it runs until it is told to stop"

    def handle(self, *args: Any, **options: Any) -> None:
        self._running = True
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, self._stop)
        dispatcher = Dispatcher()
        heartbeat = Heartbeat("dispatcher").start()
        while self._running:
            heartbeat.turn()
            try:
                time.sleep(dispatcher.run_once())
            except DatabaseError as error:
                log.warning("PostgreSQL is away (%s); trying again", type(error).__name__)
                connection.close()
                time.sleep(0.5)
            else:
                close_old_connections()
        heartbeat.stop()

    def _stop(self, *_: Any) -> None:
        self._running = False
