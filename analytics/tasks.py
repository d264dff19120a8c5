"""The doorbell of the observatory."""

from __future__ import annotations

from typing import Any

from celery import shared_task

from analytics.counting import counters, reconcile
from analytics.experiments import outcomes
from analytics.health import alerts_looking, alerts_telling, delays, delays_facts
from analytics.reports import mails
from analytics.warehouse import nights
from contacts import clock, doorbell, transactions

FOLD = "analytics.fold"


@shared_task(name=FOLD)
def fold(lane: str = "housekeeping", **_: Any) -> None:
    """Fold the deltas of the counters until there are none."""
    doorbell.work_off(FOLD, lane, counters.fold)


@shared_task(name=outcomes.BELL)
def follow_experiments(lane: str = outcomes.LANE, **_: Any) -> None:
    """Take in new assignments, and settle those whose window is over."""
    doorbell.work_off(outcomes.BELL, lane, lambda: transactions.run(lambda now: outcomes.work(now=now)))


@shared_task(name=alerts_looking.BELL)
def look_for_trouble(lane: str = alerts_looking.LANE, **_: Any) -> None:
    """Look at the sources of alerts whose turn it is, and ring where somebody is still to be told."""
    now = clock.now()
    if alerts_telling.is_work_waiting(now=now):
        doorbell.ring(alerts_telling.BELL, alerts_telling.LANE)
    alerts_looking.forget_old(now=now)
    doorbell.work_off(alerts_looking.BELL, lane, alerts_looking.look_once)


@shared_task(name=alerts_telling.BELL)
def tell_of_trouble(lane: str = alerts_telling.LANE, **_: Any) -> None:
    """Call the webhook of the alerts."""
    doorbell.work_off(alerts_telling.BELL, lane, alerts_telling.call_batch)


@shared_task(name=delays_facts.BELL)
def measure_delays(lane: str = delays_facts.LANE, **_: Any) -> None:
    """Read on in the facts how long things took, and fold what was measured."""
    transactions.run(lambda now: delays_facts.tidy(now=now))
    doorbell.work_off(
        delays_facts.BELL,
        lane,
        lambda: any((transactions.run(lambda now: delays_facts.work(now=now)), delays.fold())),
    )


@shared_task(name=mails.BELL)
def mail_reports(lane: str = mails.LANE, **_: Any) -> None:
    """Make the reports that are owed by mail."""
    doorbell.work_off(mails.BELL, lane, lambda: transactions.run(lambda now: mails.work(now=now)))


@shared_task(name=reconcile.BELL)
def check_counters(lane: str = reconcile.LANE, **_: Any) -> None:
    """Count some workflows again and compare, if it is time."""
    doorbell.work_off(reconcile.BELL, lane, lambda: transactions.run(reconcile.check_slice))


@shared_task(name="analytics.sweep")
def sweep(**_: Any) -> None:
    """Ring where work waits that nobody was rung for."""
    outcomes.ring_if_waiting(now=clock.now())
    mails.ring_if_waiting(now=clock.now())


@shared_task(name=nights.BELL)
def build_warehouse(lane: str = nights.LANE, **_: Any) -> None:
    """Start the process of a run that waits."""
    doorbell.work_off(nights.BELL, lane, nights.start_waiting)


@shared_task(name="analytics.watch_warehouse")
def watch_warehouse(**_: Any) -> None:
    """Ask for the night's run of the warehouse when its hour has come, and find runs whose process is gone."""
    transactions.run(lambda now: nights.sweep(now=now))
