"""`consume_events`: reads events from Kafka until it is asked to stop."""

from __future__ import annotations

import signal
import time
from dataclasses import asdict
from typing import Any

from confluent_kafka import KafkaException
from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.db import close_old_connections

from contacts.collect.kafka.batches import Taken
from contacts.collect.kafka.reading import Place, Reader
from contacts.garbage import collect_seldom
from contacts.heartbeat import Heartbeat
from contacts.management.manners import HouseCommand

SAY_SECONDS = 10.0
PATIENCE_SECONDS = 60.0  # of --once, for the group's answer


class Command(HouseCommand):
    help = (
        "Read events from the Kafka topic KAFKA_TOPIC: one JSON object a message, as an element of POST "
        "/api/v1/events. Any number of these may run; they share the partitions. What cannot be taken goes to the "
        "quarantine."
    )
    examples = (
        "consume_events  # as many of these as there are partitions at most",
        "consume_events --once --json  # read what is there, and end",
    )
    exit_codes = {0: "it was told to stop, or --once found nothing more", 1: "there is no Kafka to read from"}
    json_of = "one JSON object a line instead of sentences"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--group", default=settings.KAFKA_GROUP, help="the consumer group (default %(default)s)")
        parser.add_argument("--once", action="store_true", help="read what is there now, and end")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.KAFKA_BOOTSTRAP_SERVERS:
            raise CommandError("KAFKA_BOOTSTRAP_SERVERS is not set: there is no Kafka to read from.")
        collect_seldom()
        self._json = options["as_json"]
        self._running = True
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, self._stop)
        place = Place(
            servers=settings.KAFKA_BOOTSTRAP_SERVERS,
            topic=settings.KAFKA_TOPIC,
            group=options["group"],
            batch=settings.QUEUE_PREFETCH,
            options=settings.KAFKA_OPTIONS,
        )
        try:
            reader = Reader(place)
        except KafkaException as error:
            raise CommandError(f"KAFKA_OPTIONS: {error.args[0].str()}") from error
        heartbeat = Heartbeat("kafka").start()
        try:
            total = self._read(reader, heartbeat, once=options["once"])
        finally:
            heartbeat.stop()
            reader.close()
        self._say(total)

    def _read(self, reader: Reader, heartbeat: Heartbeat, *, once: bool) -> Taken:
        total, said, said_at = Taken(), Taken(), time.monotonic()
        heard_at = time.monotonic()
        while self._running:
            heartbeat.turn()
            taken = reader.read_once()
            total += taken
            if taken.read:
                heard_at = time.monotonic()
            elif once and reader.at_end:
                break
            elif once and time.monotonic() - heard_at > PATIENCE_SECONDS:
                raise CommandError(f"nothing was heard of Kafka for {PATIENCE_SECONDS:g} s")
            if total != said and time.monotonic() - said_at > SAY_SECONDS:
                self._say(total)
                said, said_at = total, time.monotonic()
            close_old_connections()
        return total

    def _say(self, total: Taken) -> None:
        self.tell(
            asdict(total),
            f"{total.read:,} messages read: {total.stored:,} events stored, {total.duplicates:,} duplicates, "
            f"{total.refused:,} in quarantine",
            as_json=self._json,
        )
        self.stdout.flush()

    def _stop(self, *_: Any) -> None:
        self._running = False
