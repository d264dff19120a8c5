"""What a step brings about stays in the lane of its journey: nobody who signs up waits behind a bulk journey's news."""

from __future__ import annotations

import pytest
from django.db import connection, transaction

from contacts import awaited, clock
from contacts.audiences import lists
from tests import journeys
from tests.journeys import definition, step
from workflows import engine, intake


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("lane", ["urgent", "bulk"])
def test_events_of_steps_are_recorded_in_the_lane_of_the_journey(lane):
    with transaction.atomic():
        lists.create(slug="news", name="News", now=clock.now())
    steps = {
        "tag": step("add_tag", {"next": "join"}, tag="t"),
        "join": step("add_to_list", {"next": "stage"}, list="news"),
        "stage": step("change_lifecycle_stage", to="customer"),
    }
    journeys.publish(definition(steps, settings={"lane": lane}))
    with transaction.atomic():
        awaited.declare("test", ["tag_added", "list_joined", "lifecycle_changed"])
    journeys.track(journeys.contact().pk, "signed_up")
    while intake.match_batch(lane="urgent"):
        pass
    while engine.advance_batch(lane=lane):
        pass
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT e.type, p.lane FROM pending_events p JOIN contact_events e ON e.id = p.event_id ORDER BY e.id"
        )
        assert cursor.fetchall() == [("tag_added", lane), ("list_joined", lane), ("lifecycle_changed", lane)]
