"""What is the matter with the post office now, in words: for the start page, the menu and the deliverability page."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

import redis
from django.conf import settings
from django.db import connection

from contacts import redis_index
from delivery import providers

GLANCE_SECONDS = 15
DOUBT_IS_OLD, WEBHOOKS_ARE_LATE, PARKED_LATELY = timedelta(hours=1), timedelta(minutes=1), timedelta(hours=24)


@dataclass(frozen=True)
class Trouble:
    """`kind`: provider · brake · in_doubt · webhooks · parked · endpoint. `page` is the name of the page that says
    more, `about` its argument where it takes one. `grave`: something does not go out because of it."""

    kind: str
    said: str
    page: str
    about: str = ""
    grave: bool = False


_LOOK = """
    SELECT 'stopped', name, stopped_at FROM providers WHERE stopped_at IS NOT NULL AND name = ANY(%(used)s)
    UNION ALL
    SELECT 'resting', name, resting_until FROM providers
     WHERE stopped_at IS NULL AND resting_until > %(now)s AND name = ANY(%(used)s)
    UNION ALL
    SELECT 'brake', domain, braked_at FROM sending_domains WHERE braked_at IS NOT NULL
    UNION ALL
    SELECT 'in_doubt', count(*)::text, min(claimed_at) FROM outbox WHERE state = 'in_doubt' HAVING count(*) > 0
    UNION ALL
    SELECT 'webhooks', count(*)::text, min(received_at) FROM webhook_inbox WHERE folded_at IS NULL HAVING count(*) > 0
    UNION ALL
    SELECT 'endpoint', id::text, disabled_at FROM webhook_endpoints
     WHERE state = 'disabled' AND disabled_reason <> 'by_hand'
    UNION ALL
    SELECT 'parked', count(*)::text, max(parked_at) FROM parked_reports WHERE parked_at > %(lately)s HAVING count(*) > 0
"""


def look(*, now: datetime) -> list[Trouble]:
    """One statement, over what is open."""
    used = sorted({name for channel in providers.CHANNELS for name in providers.names(channel)})
    with connection.cursor() as cursor:
        cursor.execute(_LOOK, {"used": used, "now": now, "lately": now - PARKED_LATELY})
        found = [_trouble(kind, name, at, now) for kind, name, at in cursor.fetchall()]
    return sorted((each for each in found if each), key=lambda each: (not each.grave, each.kind, each.about))


def _trouble(kind: str, name: str, at: datetime | None, now: datetime) -> Trouble | None:
    age = now - at if at else timedelta(0)
    if kind == "stopped":
        said = f"{providers.title(name)} refuses us: nothing goes out through it until it is resumed"
        return Trouble("provider", said, "admin:delivery_provider_change", name, grave=True)
    if kind == "resting":
        said = f"{providers.title(name)} takes nothing for now and rests"
        return Trouble("provider", said, "admin:delivery_provider_change", name)
    if kind == "brake":
        said = f"Marketing from {name} waits: too many complaints or bounces"
        return Trouble("brake", said, "admin:delivery_sendingdomain_change", name, grave=True)
    if kind == "endpoint":
        said = "An outgoing webhook was disabled, for its server is gone or fails: events wait, or are not sent to it"
        return Trouble("endpoint", said, "admin:delivery_webhookendpoint_change", name, grave=True)
    if kind == "in_doubt" and age > DOUBT_IS_OLD / settings.TIME_SPEED:
        said = f"{name} {'message is' if name == '1' else 'messages are'} in doubt, the oldest for {_long(age)}"
        return Trouble("in_doubt", said, "admin:delivery_message_in_doubt")
    if kind == "webhooks" and age > WEBHOOKS_ARE_LATE:
        said = f"Reports of providers wait for {_long(age)} ({name} not taken in yet)"
        return Trouble("webhooks", said, "admin:delivery_posttally_changelist")
    if kind == "parked":
        reports = "report" if name == "1" else "reports"
        said = f"{name} {reports} of the past day on messages that are not here: another installation's, or lost ones"
        return Trouble("parked", said, "admin:delivery_posttally_changelist")
    return None


def _long(age: timedelta) -> str:
    minutes = int(age.total_seconds() // 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


def glance(*, now: datetime) -> list[Trouble]:
    """The same, as it was at most GLANCE_SECONDS ago: for what stands on every page."""
    key = redis_index.key("post:trouble")
    try:
        if kept := redis_index.connection().get(key):
            return [Trouble(**each) for each in json.loads(str(kept))]
    except redis.RedisError:
        return look(now=now)
    found = look(now=now)
    try:
        redis_index.connection().set(key, json.dumps([asdict(each) for each in found]), ex=GLANCE_SECONDS)
    except redis.RedisError:
        return found  # it will be looked for again the next time
    return found


def forget() -> None:
    """Somebody has just mended something: the next glance looks anew."""
    try:
        redis_index.connection().delete(redis_index.key("post:trouble"))
    except redis.RedisError:
        return  # it is forgotten by itself soon
