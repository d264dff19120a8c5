"""While everything is frozen, what comes is recorded and nothing goes on and nothing leaves; a frozen workflow keeps
what it has in the queue, too."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from django.db import connection, transaction

from contacts import authority, chaos, clock, freezing, transactions
from contacts.authority import Actor, NotAllowed
from contacts.models import AuditEntry, Freeze, PendingEvent
from delivery import frozen, inquiries, notices, sending
from delivery import sweep as post_sweep
from delivery.models import OutboxEntry, SendLogEntry
from delivery.notices import Notice
from delivery.outgoing import posting
from tests import journeys
from tests.delivery import making
from tests.delivery.conftest import beside  # noqa: F401  (a fixture)
from tests.delivery.test_gate_races import wait_until
from tests.journeys import definition, step
from workflows import publishing, sweep
from workflows.errands import webhook_calls
from workflows.models import Enrolment, EntryRefusal, WebhookCall, Workflow

pytestmark = pytest.mark.django_db(transaction=True)

MAIL_AND_WAIT = {
    "hello": step("send_email", {"next": "pause"}, template="welcome"),
    "pause": step("wait", {"next": "again"}, mode="duration", **{"for": "PT1H"}),
    "again": step("add_tag", tag="waited"),
}


def freeze(reason: str = "the wrong template") -> None:
    transactions.run(lambda now: freezing.freeze(reason=reason, now=now))


def release() -> None:
    transactions.run(lambda now: freezing.release(now=now))


def freeze_workflow(slug: str = "journey") -> int:
    return transactions.run(lambda now: publishing.freeze(slug=slug, reason="the wrong people", now=now))


def work() -> None:
    """All that anybody does, until nobody finds anything."""
    journeys.run()
    for lane in ("urgent", "bulk"):
        making.deliver(lane)
        making.run(lambda lane=lane: notices.deliver_batch(lane))
        making.run(lambda lane=lane: webhook_calls.call_batch(lane))
    making.run(posting.post_batch)
    making.run(inquiries.inquire_batch)


def claimed() -> int:
    return SendLogEntry.objects.filter(kind="claimed").count()


@pytest.fixture
def journey() -> None:
    making.template()
    journeys.publish(definition(MAIL_AND_WAIT))


# -- everything --------------------------------------------------------------------------------------------------------


def test_what_comes_in_is_recorded_and_nothing_goes_on_until_it_is_released(journey):
    freeze()
    ada = journeys.contact()
    assert journeys.track(ada.pk, "signed_up").accepted == 1
    work()
    assert PendingEvent.objects.count() == 1 and not Enrolment.objects.exists()
    release()
    work()
    assert Enrolment.objects.get().step == "pause" and claimed() == 1


def test_no_wait_ends_and_no_message_is_claimed(journey):
    ada, eve = journeys.contacts(2)
    journeys.track([ada, eve], "signed_up")
    journeys.run()  # both mails are queued
    freeze()
    journeys.wake_all()
    work()
    assert claimed() == 0 and set(Enrolment.objects.values_list("step", flat=True)) == {"pause"}
    release()
    work()
    assert claimed() == 2 and set(Enrolment.objects.values_list("state", flat=True)) == {"completed"}


def test_no_mail_to_staff_no_call_and_no_delivery_leaves():
    making.template()
    journeys.publish(definition({"call": step("call_webhook", {"next": None}, url="https://hooks.example/x")}))
    journeys.track(journeys.contact().pk, "signed_up")
    journeys.run()
    with transaction.atomic():
        notices.enqueue([Notice(None, "ops@example.com", "s", "t", "k", "urgent")], now=clock.now())
    freeze()
    work()
    assert WebhookCall.objects.get().attempts == 0 and webhook_calls.lanes_with_work(now=clock.now()) == []
    with connection.cursor() as cursor:
        cursor.execute("SELECT state, attempt FROM staff_notices")
        assert cursor.fetchall() == [("queued", 0)]


def test_nobody_is_rung_for_while_everything_is_frozen(journey, monkeypatch):
    journeys.track(journeys.contacts(3), "signed_up")
    journeys.run()
    journeys.wake_all()
    journeys.track(journeys.contact("eve@example.com").pk, "signed_up")
    rung: list[str] = []
    monkeypatch.setattr("contacts.doorbell.ring", lambda task, lane: rung.append(task))
    post_sweep.ring_where_work_waits(now=clock.now())
    assert {*[task for task, _ in sweep.ring_where_work_waits(now=clock.now())]} >= {
        "workflows.intake",
        "workflows.advance",
    }
    assert "delivery.deliver" in rung
    freeze()
    rung.clear()
    post_sweep.ring_where_work_waits(now=clock.now())
    brake = [("workflows.brake", "housekeeping")]  # which only looks
    assert sweep.ring_where_work_waits(now=clock.now()) in ([], brake) and "delivery.deliver" not in rung


def test_a_freeze_is_told_once_audited_and_kept_when_it_is_over():
    freeze("first")
    freeze("second")
    (one,) = freezing.standing()
    assert (one.reason, one.kind, one.workflow_id) == ("first", "by_hand", None) and freezing.is_frozen()
    release()
    release()
    assert not freezing.is_frozen() and Freeze.objects.get().ended_by == "the installation"
    deeds = AuditEntry.objects.order_by("id").values_list("what", flat=True)
    assert list(deeds) == ["installation.frozen", "installation.released"]


@pytest.mark.parametrize("deed", [freeze, release, freeze_workflow])
def test_it_takes_a_permission_of_its_own(deed, journey):
    lead = Actor("staff", "lena", lambda permission: permission == "workflows.pause_workflow")
    with authority.asking(lambda: lead), pytest.raises(NotAllowed):
        deed()
    operator = Actor("staff", "olga", lambda permission: permission == freezing.FREEZE)
    with authority.asking(lambda: operator):
        deed()


# -- once it has returned, nothing begins ------------------------------------------------------------------------------


class Stop:
    """Somebody who comes to a point of the code waits there."""

    def __init__(self) -> None:
        self.reached, self.go_on = threading.Event(), threading.Event()


@pytest.fixture
def stops(monkeypatch, settings) -> Iterator[dict[str, Stop]]:
    settings.SEND_LEASE_SECONDS = 60.0
    found = {"delivery.gate": Stop(), "delivery.claimed": Stop()}

    def point(name: str) -> None:
        if name in found:
            found[name].reached.set()
            assert found[name].go_on.wait(30)

    monkeypatch.setattr(chaos, "point", point)
    yield found
    for stop in found.values():
        stop.go_on.set()


def test_a_freeze_waits_for_a_claim_that_has_not_seen_it_and_for_its_request(beside, stops):  # noqa: F811
    making.message()
    gate, claim = stops["delivery.gate"], stops["delivery.claimed"]
    sender = beside(sending.deliver_batch, "urgent")
    assert gate.reached.wait(30)  # it has taken its message, and not committed
    freeze()
    settled = beside(freezing.settle)
    wait_until(_somebody_waits_for_the_outbox)
    gate.go_on.set()
    assert claim.reached.wait(30)  # it has committed, and its request may begin
    assert not settled.done()
    claim.go_on.set()
    settled.result(30)
    assert not OutboxEntry.objects.filter(state="sending").exists()
    sender.result(30)
    assert claimed() == 1
    making.message()
    making.deliver()
    assert claimed() == 1


def _somebody_waits_for_the_outbox() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'outbox'::regclass"
            " AND mode = 'ExclusiveLock')"
        )
        return cursor.fetchone()[0]


def test_a_backup_that_reads_all_tables_is_in_no_freezes_way(beside):  # noqa: F811
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM outbox, webhook_calls, staff_notices, webhook_deliveries")

        def freeze_and_settle() -> None:
            freeze()
            freezing.settle(patience=5)

        beside(freeze_and_settle).result(20)
    assert freezing.is_frozen()


def test_who_cannot_wait_any_longer_is_told_and_the_freeze_stands(beside, stops):  # noqa: F811
    making.message()
    sender = beside(sending.deliver_batch, "urgent")
    assert stops["delivery.gate"].reached.wait(30)
    freeze()
    with pytest.raises(freezing.StillUnderWay):
        freezing.settle(patience=0)
    assert freezing.is_frozen()
    for stop in stops.values():
        stop.go_on.set()
    sender.result(30)


# -- one workflow ------------------------------------------------------------------------------------------------------


def test_a_frozen_workflow_keeps_its_messages_and_the_others_go(journey):
    journeys.publish(definition(MAIL_AND_WAIT, slug="other", name="other"))
    journeys.track(journeys.contact().pk, "signed_up")
    journeys.run()
    freeze_workflow()
    work()
    (kept,) = OutboxEntry.objects.select_related("message")
    assert Workflow.objects.get(pk=kept.message.workflow_id).slug == "journey" and claimed() == 1
    assert (kept.lane, kept.state) == (frozen.LANE, "queued")


def test_what_was_laid_aside_is_passed_over_by_the_next_claim_and_taken_up_after_the_release(journey):
    journeys.track(journeys.contacts(3), "signed_up")
    journeys.run()
    freeze_workflow()
    assert sending.deliver_batch("urgent") and not sending.deliver_batch("urgent")
    post_sweep.ring_where_work_waits(now=clock.now())
    assert OutboxEntry.objects.filter(lane=frozen.LANE).count() == 3
    transactions.run(lambda now: publishing.release(slug="journey", now=now))
    post_sweep.ring_where_work_waits(now=clock.now())
    assert not frozen.is_work_waiting()
    work()
    assert claimed() == 3


def test_a_frozen_workflow_enrols_nobody_and_nobody_advances(journey):
    ada, eve = journeys.contacts(2)
    journeys.track(ada, "signed_up")
    work()
    freeze_workflow()
    journeys.wake_all()
    journeys.track(eve, "signed_up")
    work()
    assert Enrolment.objects.get().step == "pause" and EntryRefusal.objects.get().reason == "paused"
    with pytest.raises(publishing.UnableToChange, match="frozen"):
        transactions.run(lambda now: publishing.resume(slug="journey", now=now))
    transactions.run(lambda now: publishing.release(slug="journey", now=now))
    work()
    assert Enrolment.objects.get().state == "completed"


def test_a_workflow_that_was_paused_before_is_paused_afterwards(journey):
    transactions.run(lambda now: publishing.pause(slug="journey", now=now))
    freeze_workflow()
    transactions.run(lambda now: publishing.release(slug="journey", now=now))
    assert Workflow.objects.get().status == "paused" and freezing.standing() == []


def test_the_calls_of_a_frozen_workflow_wait():
    journeys.publish(definition({"call": step("call_webhook", {"next": None}, url="https://hooks.example/x")}))
    journeys.track(journeys.contact().pk, "signed_up")
    journeys.run()
    freeze_workflow()
    work()
    assert WebhookCall.objects.get().attempts == 0
