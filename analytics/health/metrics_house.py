"""The metrics of what the work stands on: processes, the database, brakes, alerts and the warehouse."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import redis
from django.conf import settings
from django.db import connection
from prometheus_client.core import GaugeMetricFamily, Metric

from analytics.health import alerts, database
from contacts import heartbeat

_HOUSE = """
    SELECT (SELECT count(*) FROM enrolment_brakes b JOIN workflows w ON w.id = b.workflow_id
             WHERE b.released_at IS NULL AND w.status IN ('live', 'paused')),
           (SELECT count(*) FROM sending_domains WHERE braked_at IS NOT NULL),
           (SELECT count(*) FROM providers WHERE stopped_at IS NOT NULL),
           EXISTS (SELECT FROM freezes WHERE workflow_id IS NULL AND ended_at IS NULL),
           (SELECT max(finished_at) FROM warehouse_runs WHERE state = 'finished'),
           ARRAY(SELECT (SELECT count(*) FROM alerts a WHERE a.closed_at IS NULL AND a.opened_at IS NOT NULL
                                                         AND a.severity = s.severity)
                   FROM unnest(%s::text[]) WITH ORDINALITY AS s(severity, n) ORDER BY n)
"""
SEVERITIES = (alerts.WARNING, alerts.CRITICAL)


def read(now: datetime) -> Iterator[Metric]:
    """Three statements, and one question to Redis."""
    yield from _processes()
    yield from _database(now)
    with connection.cursor() as cursor:
        cursor.execute(_HOUSE, [list(SEVERITIES)])
        brakes, domains, stopped, is_frozen, built_at, open_alerts = cursor.fetchone()
    yield _one("carillon_brakes", "Workflows that a flood made wait for a person.", brakes)
    yield _one("carillon_domain_brakes", "Sending domains that complaints or bounces hold up.", domains)
    yield _one("carillon_providers_stopped", "Providers that refuse us and wait for a person.", stopped)
    yield _one("carillon_frozen", "Whether everything stands still until a person releases it.", is_frozen)
    opened = GaugeMetricFamily("carillon_alerts", "Alerts that are open.", labels=["severity"])
    for severity, count in zip(SEVERITIES, open_alerts, strict=True):
        opened.add_metric([severity], count)
    yield opened
    built = GaugeMetricFamily(
        "carillon_warehouse_built_timestamp_seconds", "When the warehouse was built; not said before it ever was."
    )
    if built_at is not None:
        built.add_metric([], built_at.timestamp())
    yield built


def _processes() -> Iterator[Metric]:
    workers = GaugeMetricFamily(
        "carillon_worker_up",
        "Whether a process beats: 0 when nothing was heard of it for ten seconds. Not known without Redis.",
        labels=["worker"],
    )
    try:
        silent = set(heartbeat.missing(settings.HEARTBEATS))
    except redis.RedisError:
        yield _one("carillon_redis_up", "Whether Redis answers.", 0)
    else:
        yield _one("carillon_redis_up", "Whether Redis answers.", 1)
        for name in settings.HEARTBEATS:
            workers.add_metric([name], name not in silent)
    yield workers


def _database(now: datetime) -> Iterator[Metric]:
    read = database.read(now=now)
    live = GaugeMetricFamily("carillon_table_live_rows", "Rows of a table, by PostgreSQL's estimate.", labels=["table"])
    dead = GaugeMetricFamily(
        "carillon_table_dead_rows", "Rows that wait to be cleaned away, by PostgreSQL's estimate.", labels=["table"]
    )
    size = GaugeMetricFamily("carillon_table_bytes", "Size of a table with its indexes.", labels=["table"])
    for table in read.tables:
        live.add_metric([table.name], table.live)
        dead.add_metric([table.name], table.dead)
        size.add_metric([table.name], table.size)
    yield from (live, dead, size)
    yield _one(
        "carillon_oldest_transaction_age_seconds",
        "Age of the oldest open transaction: nothing that died since is cleaned away.",
        read.oldest,
    )
    yield _one("carillon_database_connections", "Connections to the database.", read.connections)
    yield _one("carillon_database_connections_limit", "Connections that the server admits.", read.most_connections)
    yield _one(
        "carillon_transaction_id_age",
        "Transactions since the oldest id that is not frozen; 2.1e9 is the end.",
        read.age,
    )


def _one(name: str, about: str, value: float) -> Metric:
    gauge = GaugeMetricFamily(name, about)
    gauge.add_metric([], value)
    return gauge
