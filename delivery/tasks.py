"""Doorbells of the post office."""

from __future__ import annotations

from typing import Any

from celery import shared_task

from contacts import clock, doorbell, transactions
from delivery import in_doubt, inquiries, notices, retention, sending, starts, tallies
from delivery import sweep as sweeper
from delivery.outbox import LANES
from delivery.outgoing import endpoints, posting
from delivery.preflight import checking
from delivery.rates import braking, warming
from delivery.webhooks import feedback

_LANE_OF = {queue: lane for lane, queue in LANES.items()}


@shared_task(name="delivery.deliver")
def deliver(*, lane: str = "delivery_urgent", **_: Any) -> None:
    starts.recover_first()
    doorbell.work_off(
        "delivery.deliver",
        lane,
        lambda: any([sending.deliver_batch(_LANE_OF[lane]), notices.deliver_batch(_LANE_OF[lane])]),
    )


@shared_task(name="delivery.fold_webhooks")
def fold_webhooks(*, lane: str = "webhooks", **_: Any) -> None:
    doorbell.work_off("delivery.fold_webhooks", lane, feedback.fold_batch)


@shared_task(name=endpoints.BELL)
def post_webhooks(*, lane: str = endpoints.LANE, **_: Any) -> None:
    doorbell.work_off(endpoints.BELL, lane, posting.post_batch)


@shared_task(name="delivery.sweep")
def sweep(*, lane: str = "housekeeping", **_: Any) -> None:
    starts.recover()
    doorbell.work_off(
        "delivery.sweep",
        lane,
        lambda: in_doubt.reap_batch() or in_doubt.settle_batch() or notices.reap_batch() or inquiries.inquire_batch(),
    )
    transactions.run(lambda now: braking.look(now=now))
    transactions.run(lambda now: warming.advance(now=now))
    sweeper.ring_where_work_waits(now=clock.now())


@shared_task(name="delivery.prune")
def prune(*, lane: str = "housekeeping", **_: Any) -> None:
    doorbell.work_off("delivery.prune", lane, lambda: any([feedback.resolve_parked(), retention.prune_batch()]))


@shared_task(name="delivery.fold_tallies")
def fold_tallies(*, lane: str = "housekeeping", **_: Any) -> None:
    doorbell.work_off("delivery.fold_tallies", lane, tallies.fold_batch)


@shared_task(name=checking.BELL)
def check_domains(*, lane: str = checking.LANE, **_: Any) -> None:
    doorbell.work_off(checking.BELL, lane, checking.check_batch)
