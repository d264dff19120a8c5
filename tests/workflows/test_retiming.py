"""New time zone data moves the waits that were derived from older data, and nothing else."""

from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from contacts import clock, guarded
from tests import journeys
from tests.journeys import definition, step
from workflows import engine, intake, retiming
from workflows.models import Enrolment

pytestmark = pytest.mark.django_db(transaction=True)


def waiting(zone: str = "America/Vancouver", **config: object) -> Enrolment:
    config = config or {"mode": "local_time", "at": "09:00"}
    journeys.publish(definition({"wait": step("wait", **config)}))
    journeys.track(journeys.contact(timezone=zone).pk, "signed_up")
    intake.match_batch(lane="urgent")
    engine.advance_batch(lane="urgent")
    return Enrolment.objects.get()


def as_if_from_older_data(enrolment: Enrolment, *, hours: int) -> None:
    """The wake time and the journal as an older copy of the time zone data would have made them."""
    Enrolment.objects.filter(pk=enrolment.pk).update(wake_at=enrolment.wake_at + timedelta(hours=hours))
    with transaction.atomic(), guarded.guarded_path(), connection.cursor() as cursor:
        cursor.execute(
            """UPDATE workflow_journal SET detail = detail || '{"tzdb": "2025b"}' WHERE enrolment_id = %s""",
            [enrolment.pk],
        )


def test_a_wait_for_nine_oclock_ends_at_nine_by_the_new_rules():
    enrolment = waiting()
    as_if_from_older_data(enrolment, hours=2)
    out = StringIO()
    call_command("retime", stdout=out, stderr=StringIO())
    assert "1 waits looked at, 1 moved" in out.getvalue()
    assert Enrolment.objects.get().wake_at == enrolment.wake_at
    call_command("retime", stdout=out, stderr=StringIO())
    assert Enrolment.objects.get().wake_at == enrolment.wake_at


def test_a_contacts_new_zone_moves_nothing():
    enrolment = waiting()
    as_if_from_older_data(enrolment, hours=1)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE contacts SET timezone = 'Asia/Tokyo'")
    call_command("retime", stdout=StringIO(), stderr=StringIO())
    assert Enrolment.objects.get().wake_at == enrolment.wake_at


def test_waits_of_elapsed_hours_and_those_that_are_due_stay():
    enrolment = waiting(mode="duration", **{"for": "PT72H"})
    with transaction.atomic():
        assert retiming.retime_batch(after=0, now=clock.now()).looked_at == 0
    assert Enrolment.objects.get().wake_at == enrolment.wake_at


def test_a_batch_goes_on_behind_the_last():
    first = waiting()
    as_if_from_older_data(first, hours=1)
    with transaction.atomic():
        batch = retiming.retime_batch(after=0, now=clock.now(), limit=1)
        assert (batch.after, batch.moved) == (first.pk, 1)
        assert retiming.retime_batch(after=first.pk, now=clock.now(), limit=1).after is None
        assert retiming.retime_batch(after=0, now=datetime(2999, 1, 1, tzinfo=UTC), limit=1).looked_at == 0
