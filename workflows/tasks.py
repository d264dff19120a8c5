"""Doorbells of the engine."""

from __future__ import annotations

from functools import partial
from typing import Any

from celery import shared_task

from contacts import clock, doorbell, transactions
from delivery.outbox import LANES
from workflows import admission, archiving, engine, intake, partitions, pausing, rehearsals, retention
from workflows import sweep as sweeper
from workflows.editing import edit_moves, edit_plan
from workflows.entry import brake, entry_requests, entry_runs, entry_work
from workflows.errands import webhook_calls
from workflows.watches import looking, watch_checks


@shared_task(name="workflows.intake")
def match(lane: str = "urgent", **_: Any) -> None:
    doorbell.work_off(
        "workflows.intake",
        lane,
        lambda: any([intake.match_batch(lane=lane), entry_requests.take_batch(lane=lane)]),
    )


@shared_task(name=entry_runs.BELL)
def enter(lane: str = entry_runs.LANE, **_: Any) -> None:
    doorbell.work_off(entry_runs.BELL, lane, entry_work.work)


@shared_task(name="workflows.advance")
def advance(lane: str = "urgent", **_: Any) -> None:
    doorbell.work_off("workflows.advance", lane, lambda: engine.advance_batch(lane=lane))


@shared_task(name=watch_checks.BELL)
def look_again(lane: str = "urgent", **_: Any) -> None:
    doorbell.work_off(watch_checks.BELL, lane, lambda: transactions.run(partial(looking.work_batch, lane)))


@shared_task(name=admission.BELL)
def admit(lane: str = "urgent", **_: Any) -> None:
    doorbell.work_off(admission.BELL, lane, lambda: admission.admit_batch(lane=lane))


@shared_task(name=edit_plan.BELL)
def apply_plan(lane: str = edit_plan.LANE, **_: Any) -> None:
    doorbell.work_off(edit_plan.BELL, lane, lambda: transactions.run(edit_moves.work_batch))


@shared_task(name=pausing.BELL)
def release(lane: str = pausing.BELL_LANE, **_: Any) -> None:
    doorbell.work_off(pausing.BELL, lane, pausing.release_batch)


@shared_task(name=archiving.BELL)
def empty(lane: str = archiving.BELL_LANE, **_: Any) -> None:
    doorbell.work_off(archiving.BELL, lane, lambda: transactions.run(archiving.empty_batch))


@shared_task(name=brake.BELL)
def look_at_the_rate(lane: str = brake.BELL_LANE, **_: Any) -> None:
    doorbell.work_off(brake.BELL, lane, lambda: transactions.run(lambda now: brake.look(now=now)))


@shared_task(name=webhook_calls.BELL)
def call_webhooks(lane: str = "delivery_urgent", **_: Any) -> None:
    of_messages = {queue: name for name, queue in LANES.items()}
    doorbell.work_off(webhook_calls.BELL, lane, lambda: webhook_calls.call_batch(of_messages[lane]))


@shared_task(name=rehearsals.BELL)
def rehearse(lane: str = rehearsals.LANE, **_: Any) -> None:
    doorbell.work_off(rehearsals.BELL, lane, rehearsals.start_one)


@shared_task(name="workflows.sweep")
def sweep(**_: Any) -> None:
    sweeper.ring_where_work_waits(now=clock.now())


@shared_task(name="workflows.tidy")
def tidy(lane: str = "housekeeping", **_: Any) -> None:
    doorbell.work_off("workflows.tidy", lane, lambda: retention.prune(now=clock.now()))


@shared_task(name="workflows.make_partitions")
def make_partitions(**_: Any) -> None:
    partitions.make_ahead()
