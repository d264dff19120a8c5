"""Liveness and readiness. `/healthz` answers as long as the process does; `/readyz` says whether everything that a
journey needs is there: the database and its migrations, Redis, the broker, a worker for each lane, the dispatcher."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from urllib.parse import urlsplit

import redis
from celery import current_app
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import re_path
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from kombu.exceptions import OperationalError

from config.lanes import beating
from contacts import heartbeat, redis_index

BROKER_SECONDS = 2.0


class NotReady(Exception):
    """The message says what is missing; it is shown to anybody, so it quotes no error and no address."""


@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """200 while the process lives; asks nobody else, or a database that is away would get every web process killed."""
    return HttpResponse("ok\n", content_type="text/plain")


@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """200 `{"ready": true, "missing": [], "checks": {name: "ok"}}`, or 503 with the names of what is missing."""
    checks = look()
    missing = [name for name, answer in checks.items() if answer != "ok"]
    body = {"ready": not missing, "missing": missing, "checks": checks}
    return JsonResponse(body, status=503 if missing else 200)


def look() -> dict[str, str]:
    """Every part by name, with "ok" or what is the matter with it."""
    checks: dict[str, str] = {}
    for name, check in (("database", database), ("migrations", migrations), ("redis", index), ("broker", broker)):
        checks[name] = _ask(check)
    names = beating(with_kafka=bool(settings.KAFKA_BOOTSTRAP_SERVERS))
    try:
        silent = set(heartbeat.missing(names))
    except redis.RedisError:
        return checks | dict.fromkeys(names, "unknown without redis")
    return checks | {name: "no heartbeat" if name in silent else "ok" for name in names}


def database() -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        raise NotReady("does not answer") from error


@cache
def migrations() -> None:
    """Asked until they are all applied; from then on they stay so for as long as this process serves this code."""
    try:
        executor = MigrationExecutor(connection)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError as error:
        raise NotReady("unknown without the database") from error
    if plan:
        raise NotReady(f"{len(plan)} not applied")


def index() -> None:
    try:
        redis_index.connection().ping()
    except redis.RedisError as error:
        raise NotReady("does not answer") from error


def broker() -> None:
    """Opens a connection of its own: the pooled ones of this process may be waiting for the old broker."""
    try:
        if urlsplit(settings.CELERY_BROKER_URL).scheme.startswith("redis"):
            timeouts = {"socket_timeout": BROKER_SECONDS, "socket_connect_timeout": BROKER_SECONDS}
            with redis.Redis.from_url(settings.CELERY_BROKER_URL, **timeouts) as client:
                client.ping()
        else:
            with current_app.connection_for_write(settings.CELERY_BROKER_URL, connect_timeout=BROKER_SECONDS) as link:
                link.connect()
                link.channel().close()
    except (redis.RedisError, OSError, OperationalError) as error:
        raise NotReady("does not answer") from error


def _ask(check: Callable[[], None]) -> str:
    try:
        check()
    except NotReady as problem:
        return str(problem)
    return "ok"


urlpatterns = [
    re_path(r"^healthz/?$", healthz, name="healthz"),
    re_path(r"^readyz/?$", readyz, name="readyz"),
]
