"""Events from Kafka, each message once: a member of a consumer group whose offsets live in PostgreSQL.

The offsets are stored in the transaction of the events that were read before them, so a process that is killed at any
point has either stored both or neither. Where reading goes on is always asked of PostgreSQL: on assignment, after every
failure, and when another member has read on meanwhile.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka import Message as Delivered
from django.db import DatabaseError, connection

from contacts import chaos, transactions
from contacts.collect.kafka import batches, offsets
from contacts.collect.kafka.batches import Taken
from contacts.collect.kafka.messages import Message
from contacts.collect.kafka.offsets import Moved, Step

log = logging.getLogger(__name__)

WAIT_SECONDS = 1.0  # for the first message of a batch
CLOSE_SECONDS = 10.0
GATHER_SECONDS = 0.01  # for those behind it: a batch is what has arrived, nobody waits for it to be full
LOOK_SECONDS = 1.0  # between two looks at the queue of intake
MOST_PENDING = 20_000  # events of a lane that intake has not matched yet: beyond this, reading waits
AWAY_SECONDS = (0.5, 10.0)  # between two tries when PostgreSQL is away: the first pause, the longest


@dataclass(frozen=True)
class Place:
    """What to read. `options`: librdkafka's own (security.protocol, sasl.*, session.timeout.ms, …)."""

    servers: str
    topic: str
    group: str
    batch: int
    options: Mapping[str, str] = field(default_factory=dict)

    def configuration(self) -> dict[str, object]:
        return {
            "client.id": "carillon",
            "topic.metadata.refresh.interval.ms": 10_000,  # a topic that is made later is found soon
            "queued.max.messages.kbytes": 16 * 1024,
            "reconnect.backoff.max.ms": 5_000,
            **self.options,
            # what the promises of this module rest on
            "bootstrap.servers": self.servers,
            "group.id": self.group,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "error",
            "enable.partition.eof": True,
            "partition.assignment.strategy": "range,roundrobin",
        }


class Reader:
    """One member of the group. `read_once` as often as wanted, `close` at the end."""

    def __init__(self, place: Place) -> None:
        """Raises KafkaException for options that librdkafka does not know."""
        self.place = place
        self._consumer = Consumer(place.configuration(), logger=log)
        self._assigned: list[int] | None = None  # None: the group has not said yet
        self._next: dict[int, int] = {}  # of the partitions being read: the offset to take next
        self._stored: dict[int, int] = {}  # of the same: the offset that PostgreSQL holds
        self._ended: set[int] = set()
        self._held_back = False
        self._looked_at = 0.0
        self._lanes: frozenset[str] = frozenset()
        self._away_seconds = 0.0
        self._consumer.subscribe([place.topic], on_assign=self._assign, on_revoke=self._revoke, on_lost=self._revoke)

    @property
    def at_end(self) -> bool:
        """Whether the group has given us our share, and all of it is read, as the broker says."""
        return self._assigned is not None and not self._held_back and self._ended >= set(self._assigned)

    def close(self) -> None:
        """Leave the group, so that the others take over at once. Where librdkafka waits for ever for the end of a
        rebalance (it happens: librdkafka#4884), the group is left to notice that we are gone."""
        closing = threading.Thread(target=self._consumer.close, name="leaving the group", daemon=True)
        closing.start()
        closing.join(CLOSE_SECONDS)
        if closing.is_alive():
            log.warning("the group did not let go of us in %.0f seconds; it will notice", CLOSE_SECONDS)

    def read_once(self) -> Taken:
        """Store one batch, or wait a second for one. Never raises for a broker or a database that is away."""
        try:
            self._regard_the_queue()
            self._find_the_place()
        except DatabaseError as error:
            self._rest(error)
            return Taken()
        delivered = self._poll()
        messages = [message for message in map(self._examine, delivered) if message is not None]
        if not messages or not self._next:
            return Taken()
        return self._store(messages)

    # -- where to read ------------------------------------------------------------------------------------------------

    def _assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Reading begins once PostgreSQL has said where: not in this callback, which must not fail."""
        consumer.assign([])
        self._assigned = sorted(partition.partition for partition in partitions)
        self._forget_the_place()
        log.info("reading %s of %s", self._assigned, self.place.topic)

    def _revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._assigned = None
        self._forget_the_place()

    def _forget_the_place(self) -> None:
        self._next, self._stored = {}, {}
        self._ended = set()

    def _find_the_place(self) -> None:
        if not self._assigned or self._next or self._held_back:
            return
        assigned = self._assigned

        def begin(now: datetime) -> dict[int, int]:
            return offsets.begin(self.place.group, self.place.topic, assigned, now=now)

        self._stored = transactions.run(begin)
        self._next = dict(self._stored)
        self._read_from_there()

    def _read_from_there(self) -> None:
        self._consumer.assign([self._at(partition, offset) for partition, offset in self._next.items()])

    def _at(self, partition: int, offset: int) -> TopicPartition:
        return TopicPartition(self.place.topic, partition, offset)

    # -- reading ------------------------------------------------------------------------------------------------------

    def _poll(self) -> list[Delivered]:
        first = self._consumer.poll(WAIT_SECONDS)
        if first is None:
            return []
        if self.place.batch == 1:
            return [first]
        return [first, *self._consumer.consume(self.place.batch - 1, GATHER_SECONDS)]

    def _examine(self, delivered: Delivered) -> Message | None:
        """A message that is to be taken now. What was fetched before the group moved, or before reading was set back,
        is passed over: it comes again from the place that PostgreSQL knows."""
        partition, offset = delivered.partition(), delivered.offset()
        error = delivered.error()
        if error is not None:
            self._hear(error, partition)
            return None
        if partition is None or offset is None or offset < self._next.get(partition, offset + 1):
            return None
        self._next[partition] = offset + 1
        self._ended.discard(partition)
        headers = delivered.headers() or ()
        named = list(headers.items()) if isinstance(headers, dict) else list(headers)
        return Message(self.place.topic, partition, offset, delivered.value(), named)

    def _hear(self, error: KafkaError, partition: int | None) -> None:
        if partition in self._next:
            if error.code() == KafkaError._PARTITION_EOF:
                self._ended.add(partition)
                return
            if error.code() in {KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE}:
                self._begin_anew(partition)
                return
        elif error.code() in {KafkaError._PARTITION_EOF, KafkaError._AUTO_OFFSET_RESET}:
            return
        log.warning("Kafka says %s; going on", error.name())

    def _begin_anew(self, partition: int) -> None:
        """The broker does not have the offset any more: go on with the oldest message that it has."""
        wanted = self._next[partition]
        try:
            oldest, newest = self._consumer.get_watermark_offsets(self._at(partition, 0), timeout=5.0)
        except KafkaException as error:
            log.warning("Kafka says %s; asking again", error.args[0].name())
            self._forget_the_place()
            return
        if wanted > newest:
            log.warning("partition %d of %s was made anew: reading it from its beginning", partition, self.place.topic)
        elif wanted:
            log.warning("%d messages of partition %d are gone from the broker unread", oldest - wanted, partition)
        self._next[partition] = oldest
        self._read_from_there()

    # -- storing ------------------------------------------------------------------------------------------------------

    def _store(self, messages: Sequence[Message]) -> Taken:
        reached = {message.partition: message.offset + 1 for message in messages}
        steps = {partition: Step(self._stored[partition], offset) for partition, offset in reached.items()}

        # mutants: the offsets in a transaction of their own, before the events or behind them
        first, last = chaos.mutant("kafka.offsets_first"), chaos.mutant("kafka.offsets_last")

        def advance(now: datetime) -> None:
            offsets.advance(self.place.group, self.place.topic, steps, now=now)

        def store(now: datetime) -> Taken:
            together = {} if first or last else steps
            return batches.store(self.place.group, self.place.topic, messages, together, now=now)

        try:
            if first:
                transactions.run(advance)
            chaos.point("kafka.read")
            taken = transactions.run(store)
            chaos.point("kafka.stored")
            if last:
                transactions.run(advance)
        except Moved:
            log.warning("another member has read on: letting go of %d messages", len(messages))
            self._forget_the_place()
            return Taken()
        except DatabaseError as error:
            self._forget_the_place()
            self._rest(error)
            return Taken()
        self._stored.update(reached)
        self._lanes = taken.lanes
        self._away_seconds = 0.0
        self._tell_the_broker(reached)
        return taken

    def _tell_the_broker(self, reached: Mapping[int, int]) -> None:
        """For those who watch the lag there. Nothing here reads it."""
        try:
            self._consumer.commit(offsets=[self._at(*pair) for pair in reached.items()], asynchronous=True)
        except KafkaException as error:
            log.debug("offsets not told to the broker: %s", error.args[0].name())

    def _rest(self, error: DatabaseError) -> None:
        """PostgreSQL is away: what was read is read again later."""
        shortest, longest = AWAY_SECONDS
        self._away_seconds = min(max(self._away_seconds * 2, shortest), longest)
        log.warning("PostgreSQL is away (%s); again in %g s", type(error).__name__, self._away_seconds)
        connection.close()
        time.sleep(self._away_seconds)

    # -- holding back -------------------------------------------------------------------------------------------------

    def _regard_the_queue(self) -> None:
        """Reading waits while intake is far behind in a lane that the last batch went to: what stays in Kafka costs
        nothing, and the events of the other doors are matched the sooner."""
        if time.monotonic() - self._looked_at < LOOK_SECONDS:
            return
        self._looked_at = time.monotonic()
        bound = MOST_PENDING // 2 if self._held_back else MOST_PENDING
        behind = any(pending(lane) >= bound for lane in self._lanes)
        if behind == self._held_back:
            return
        log.info("intake is far behind: reading waits" if behind else "intake has caught up: reading goes on")
        self._held_back = behind
        if behind:
            self._consumer.assign([])
            self._forget_the_place()


def pending(lane: str) -> int:
    """How many events of the lane wait for intake, counted to MOST_PENDING."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM (SELECT FROM pending_events WHERE lane = %s LIMIT %s) p", [lane, MOST_PENDING]
        )
        return cursor.fetchone()[0]
