"""Looking: every source in its turn, by whoever comes first; what was seen is compared with the alerts and written
down.

    claim    `looked_at` of the source's watch, committed: of two who come, one looks
    look     in a transaction of its own, that writes nothing
    settle   under the lock of the watch: open, go on, close; whoever is to be told is written down in the same
             transaction (`alerts_telling`), so each is told once, whoever is killed

What is told, and whether anybody can be reached, never holds up the looking."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import fields
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction

from analytics.health import alerts, alerts_deciding, alerts_telling
from analytics.health.alerts import CRITICAL, Finding, Source
from analytics.health.alerts_deciding import Decision, State
from analytics.models import Alert, AlertWatch
from contacts import chaos, clock, transactions
from contacts.durations import parse_duration

log = logging.getLogger(__name__)

BELL, LANE = "analytics.look", "housekeeping"
MOST = 50  # findings of one source; the rest is told of as one
LONGEST_TITLE, LONGEST_SAID = 200, 1000
LOOK_MS = 30_000  # a statement of a look may take so long
KEPT = timedelta(days=400)  # closed alerts

_STATE = [field.name for field in fields(State)]
_WRITTEN = ["title", "said", "page", "seen_at", "tellings", "end_told_at"]  # and the state; silences are people's


def look_once() -> bool:
    """Look at the source that has waited longest, if one is due. Returns whether one was. Never raises for a source's
    sake: one that cannot look changes no alert of its own, and is a finding of the source `watch`."""
    source = transactions.run(_claim)
    if source is None:
        return False
    chaos.point("alerts.claimed")
    try:
        at, found = _look(source)
    except Exception as error:
        # whatever it was: the others are looked at all the same; its words may hold an address or a password
        kind = f"{type(error).__module__}.{type(error).__name__}"
        log.warning("alerts: source %s cannot look: %s", source.name, kind)
        transactions.run(lambda now: _note_failure(source, kind, now))
        return True
    chaos.point("alerts.looked")
    transactions.run(lambda now: settle(source, found, at=at))
    return True


def is_due(*, now: datetime) -> bool:
    """Whether a source waits to be looked at."""
    looked_at = dict(AlertWatch.objects.values_list("name", "looked_at"))
    return any(_is_due(source, looked_at.get(source.name), now) for source in alerts.sources())


def open_now() -> list[Alert]:
    """The gravest first, and of those the oldest."""
    return list(Alert.objects.filter(closed_at=None, opened_at__isnull=False).order_by("severity", "opened_at"))


def forget_old(*, now: datetime) -> None:
    """Alerts that have been closed for very long, and watches of sources that are no more."""
    Alert.objects.filter(closed_at__lt=now - KEPT).delete()
    AlertWatch.objects.exclude(name__in=[source.name for source in alerts.sources()]).delete()


def _claim(now: datetime) -> Source | None:
    sources = {source.name: source for source in alerts.sources()}
    known = set(AlertWatch.objects.values_list("name", flat=True))
    AlertWatch.objects.bulk_create([AlertWatch(name=name) for name in sources.keys() - known], ignore_conflicts=True)
    watches = AlertWatch.objects.filter(name__in=sources).select_for_update(skip_locked=True)
    due = [watch for watch in watches if _is_due(sources[watch.name], watch.looked_at, now)]
    if not due:
        return None
    watch = min(due, key=lambda each: (each.looked_at is not None, each.looked_at, each.name))
    watch.looked_at = now
    watch.save(update_fields=["looked_at"])
    return sources[watch.name]


def _is_due(source: Source, looked_at: datetime | None, now: datetime) -> bool:
    return looked_at is None or now - looked_at >= source.every


def _look(source: Source) -> tuple[datetime, list[Finding]]:
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = {LOOK_MS}")
        now = clock.now()
        return now, bounded(source.look(now))


def bounded(found: Iterable[Finding]) -> list[Finding]:
    """Each key once, the gravest first, no more than MOST of them, and no text without an end."""
    by_key: dict[str, Finding] = {}
    for finding in found:
        if finding.key not in by_key or finding.severity == CRITICAL:
            by_key[finding.key] = finding
    ordered = sorted(by_key.values(), key=lambda each: (each.severity != CRITICAL, each.key))
    kept, rest = ordered[:MOST], ordered[MOST:]
    if rest:
        worst = rest[0].severity
        kept.append(Finding("more", worst, "There is more of the same", f"{len(rest)} more: {rest[0].title}, ..."))
    return kept


def _note_failure(source: Source, kind: str, now: datetime) -> None:
    watch = AlertWatch.objects.select_for_update().get(pk=source.name)
    watch.failing_since, watch.problem = watch.failing_since or now, kind
    watch.save(update_fields=["failing_since", "problem"])


# -- what was seen, and what is known ----------------------------------------------------------------------------------


def settle(source: Source, found: Sequence[Finding], *, at: datetime) -> None:
    """Bring the alerts of a source to what it said at the instant `at`, inside the caller's transaction. What is older
    than what was written down last changes nothing."""
    assert connection.in_atomic_block, "alerts are settled in the caller's transaction"
    AlertWatch.objects.bulk_create([AlertWatch(name=source.name)], ignore_conflicts=True)
    watch = AlertWatch.objects.select_for_update().get(pk=source.name)
    if watch.settled_at is not None and watch.settled_at >= at:
        return
    watch.settled_at, watch.failing_since, watch.problem = at, None, ""
    watch.save(update_fields=["settled_at", "failing_since", "problem"])
    rows = {row.key: row for row in Alert.objects.filter(source=source.name, closed_at=None).order_by("id")}
    findings = {f"{source.name}:{finding.key}": finding for finding in found}
    silences = _silences(findings.keys() - rows.keys(), at)
    again_after = parse_duration(settings.ALERT_AGAIN_AFTER).total()  # of real time, whatever TIME_SPEED is
    can_tell = alerts_telling.is_set_up()
    news: list[tuple[Alert, str]] = []
    for key, finding in findings.items():
        known = rows.pop(key, None)
        row = known or Alert(source=source.name, key=key)
        last = silences.get(key)
        decision = alerts_deciding.seen(
            _state(known) if known else None,
            finding.severity,
            source=source,
            at=at,
            again_after=again_after,
            can_tell=can_tell,
            silenced_until=last.silenced_until if last else None,
        )
        if known is None and last is not None:
            row.silenced_at, row.silenced_by = last.silenced_at, last.silenced_by
        row.title, row.said = finding.title[:LONGEST_TITLE], finding.detail[:LONGEST_SAID]
        row.page, row.seen_at = finding.where, at
        _keep(row, decision, news)
    for row in rows.values():
        _keep(row, alerts_deciding.gone(_state(row), source=source, at=at, can_tell=can_tell), news)
    alerts_telling.tell(news, now=at)


def _silences(keys: Iterable[str], at: datetime) -> dict[str, Alert]:
    """The silences of these keys that still hold, from the alerts that they were spoken over."""
    rows = Alert.objects.filter(key__in=list(keys), silenced_until__gt=at).order_by("id")
    return {row.key: row for row in rows}


def _state(row: Alert) -> State:
    return State(**{name: getattr(row, name) for name in _STATE})


def _keep(row: Alert, decision: Decision, news: list[tuple[Alert, str]]) -> None:
    if decision.state is None:
        row.delete()
        return
    for name in _STATE:
        setattr(row, name, getattr(decision.state, name))
    if decision.news == alerts_deciding.CLOSED:
        row.end_told_at = row.closed_at
    elif decision.news:
        row.tellings += 1
    if row.pk is None:
        row.save()
    else:
        row.save(update_fields=[*_WRITTEN, *(name for name in _STATE if name != "silenced_until")])
    if decision.news:
        news.append((row, decision.news))
