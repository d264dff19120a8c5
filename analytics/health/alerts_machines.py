"""What may be wrong with what the work stands on: processes, Redis, the database, the promised delays, and the alerts
themselves."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import redis
from django.conf import settings
from django.db import connection
from django.urls import reverse

from analytics.health import alerts, delays
from analytics.health.alerts import CRITICAL, WARNING, Finding, Source
from analytics.models import AlertCall, AlertWatch
from contacts import heartbeat, redis_index
from delivery.models import StaffNotice
from delivery.models.notice import OPEN_NOTICES

# -- delays: what the product promises, of the last minutes
PROMISED = 2.0  # seconds, of 99 in 100
SHARE = 0.99
PROMISES = {
    (delays.EVENT_TO_ENROLMENT, "urgent"): "Events begin their journeys late",
    (delays.EVENT_TO_PROVIDER, "urgent"): "Messages go out late",
    (delays.TIMER, "urgent"): "Waits end late",
    (delays.WEBHOOK, "webhooks"): "Reports of providers are taken in late",
}
LEAST = 100  # fewer measurements say nothing of one in a hundred
SPAN = timedelta(minutes=10)

# -- the database
LONG, VERY_LONG = timedelta(minutes=5), timedelta(minutes=30)  # of a transaction
DEAD_ROWS, DEAD_SHARE = 1_000_000, 0.5
OLDEST_ID = 1_000_000_000  # transactions; PostgreSQL stops before 2,100,000,000

# -- the alerts themselves
BLIND = timedelta(minutes=10)
UNHEARD = timedelta(minutes=10)


def declare() -> None:
    """Register these sources."""
    for source in (
        Source("workers", silent, opens_after=timedelta(seconds=30), closes_after=timedelta(minutes=2)),
        Source("redis", redis_away, opens_after=timedelta(seconds=30), closes_after=timedelta(minutes=2)),
        Source("delays", slow, every=timedelta(minutes=1), opens_after=timedelta(minutes=2)),
        Source("database", strained, every=timedelta(minutes=2), opens_after=timedelta(minutes=4)),
        Source("alerts", blind, every=timedelta(minutes=1), opens_after=timedelta(0)),
    ):
        alerts.register(source)


def silent(now: datetime) -> Iterator[Finding]:
    """Processes that should beat and do not. Raises redis.RedisError."""
    health = reverse("admin:analytics_latency_changelist")  # where it says who works
    for name in heartbeat.missing(settings.HEARTBEATS):
        said = f"Nothing was heard of {name} for ten seconds: its work lies until somebody does it."
        yield Finding(name.replace(" ", ":"), CRITICAL, f"Nobody works as {name}", said, health)


def redis_away(now: datetime) -> Iterator[Finding]:
    try:
        redis_index.connection().ping()
    except redis.RedisError:
        said = "Work goes on from the database, slower, and only where the broker is another one."
        yield Finding("away", CRITICAL, "Redis does not answer", said)


# -- delays ------------------------------------------------------------------------------------------------------------


def slow(now: datetime) -> Iterator[Finding]:
    """What took longer than promised in the last minutes: the histograms are kept by day, so what they said SPAN ago is
    remembered in Redis. The first look after a start, or after Redis was emptied, has nothing to compare with; the next
    ones compare with that."""
    measured = {"|".join(key): list(histogram.counts) for key, histogram in delays.read().items()}
    before = _earlier(measured, now)
    if before is None:
        return
    for (name, lane), title in PROMISES.items():
        key = f"{name}|{lane}"
        counts = [new - old for new, old in zip(measured[key], before.get(key, measured[key]), strict=True)]
        lately = delays.Histogram(name, lane, tuple(counts), 0)
        within = lately.within(PROMISED)
        if within is not None and lately.total >= LEAST and min(counts) >= 0 and within < SHARE:
            said = f"Of the last {lately.total:,}, {100 * (1 - within):.1f}% took longer than {PROMISED:g} s."
            yield Finding(f"{lane}:{name}", WARNING, title, said, reverse("admin:analytics_latency_changelist"))


def _earlier(measured: Mapping[str, list[int]], now: datetime) -> dict[str, list[int]] | None:
    """What was measured SPAN ago or a little earlier, else the oldest that is remembered; what is measured now is
    remembered, too."""
    client, key = redis_index.connection(), redis_index.key("alerts:delays")
    moment = now.timestamp()
    oldest = moment - 2 * SPAN.total_seconds()
    with client.pipeline(transaction=True) as pipe:
        pipe.zremrangebyscore(key, "-inf", oldest)
        pipe.zadd(key, {json.dumps({"at": moment, "counts": measured}): moment})
        pipe.expire(key, round(2 * SPAN.total_seconds()))
        pipe.zrevrangebyscore(key, moment - SPAN.total_seconds(), "-inf", start=0, num=1)
        pipe.zrangebyscore(key, "-inf", f"({moment}", start=0, num=1)
        found: list[Any] = [*itertools.chain(*pipe.execute()[-2:])]
    return json.loads(found[0])["counts"] if found else None


# -- the database ------------------------------------------------------------------------------------------------------


def strained(now: datetime) -> Iterator[Finding]:
    """Transactions that hold up the cleaning, tables that are not cleaned, and ids that run out."""
    yield from _old_transactions(now)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT relname, n_live_tup, n_dead_tup FROM pg_stat_user_tables
             WHERE n_dead_tup > %s AND n_dead_tup > %s * (n_live_tup + n_dead_tup) ORDER BY n_dead_tup DESC
            """,
            [DEAD_ROWS, DEAD_SHARE],
        )
        for table, live, dead in cursor.fetchall():
            said = f"{dead:,} dead rows beside {live:,} living ones: autovacuum does not keep up."
            yield Finding(f"bloat:{table}", WARNING, f"The table {table} is bloated", said)
        cursor.execute("SELECT age(datfrozenxid) FROM pg_database WHERE datname = current_database()")
        (age,) = cursor.fetchone()
    if age > OLDEST_ID:
        said = f"The oldest unfrozen transaction is {age:,} transactions ago; at 2,100,000,000 nothing is written."
        yield Finding("wraparound", CRITICAL, "Transaction ids run out", said)


def _old_transactions(now: datetime) -> Iterator[Finding]:
    """By who they are of: a name of a program, which we set or the operator does, and no words of a statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT usename, count(*), min(xact_start) FROM pg_stat_activity
             WHERE datname = current_database() AND backend_type = 'client backend' AND xact_start < %s
               AND pid <> pg_backend_pid() GROUP BY 1 ORDER BY 1
            """,
            [now - LONG],
        )
        found = cursor.fetchall()
    for role, count, oldest in found:
        age = now - oldest
        plural = "transaction is" if count == 1 else "transactions are"
        yield Finding(
            f"transaction:{role}",
            CRITICAL if age > VERY_LONG else WARNING,
            f"A transaction of {role} does not end",
            f"{count} {plural} open, the oldest for {age.total_seconds() / 60:.0f} min: nothing that died since is"
            " cleaned away.",
        )


# -- the alerts themselves ---------------------------------------------------------------------------------------------


def blind(now: datetime) -> Iterator[Finding]:
    """Sources that cannot look, and mails and calls that nobody takes."""
    watches = AlertWatch.objects.filter(failing_since__lt=now - BLIND).order_by("name")
    for watch in watches:
        since = f"{watch.failing_since.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if watch.failing_since else "long ago"
        said = f"It fails since {since} with {watch.problem}: what it would find stays unknown."
        yield Finding(f"blind:{watch.name}", WARNING, f"The source {watch.name} cannot look", said)
    unheard = AlertCall.objects.filter(state__in=["queued", "calling"], created_at__lt=now - UNHEARD)
    given_up = AlertCall.objects.filter(state="failed", finished_at__gt=now - timedelta(days=1))
    if count := unheard.count() + given_up.count():
        reasons = {*unheard.values_list("reason", flat=True)[:50], *given_up.values_list("reason", flat=True)[:50]}
        said = f"{count} calls of ALERT_WEBHOOK_URL were not taken ({', '.join(sorted(filter(None, reasons)))})."
        yield Finding("webhook", WARNING, "The alerts' webhook is not answered", said)
    ours = StaffNotice.objects.filter(idempotency_key__startswith="alert:")
    lately = ours.filter(finished_at__gt=now - timedelta(days=1))
    lost = lately.filter(state__in=["rejected", "suppressed", "in_doubt"]).count()
    late = ours.filter(state__in=OPEN_NOTICES, created_at__lt=now - UNHEARD).count()
    if lost or late:
        said = f"{late} mails to ALERT_EMAIL wait for more than ten minutes, {lost} were not taken within a day."
        yield Finding("mail", WARNING, "The alerts' mail does not arrive", said)
