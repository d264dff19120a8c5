"""After every race the counters equal a recount: it is noticed what a race is, and nobody is asked."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from django.db import connection

from analytics.counting import rebuild
from contacts import clock
from tests import conftest, journeys, races
from tests.journeys import definition, step
from workflows.models import Enrolment, WorkflowVersion

pytestmark = pytest.mark.django_db(transaction=True)


def ask() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def beside(work: Callable[[], object]) -> None:
    """In a thread with a connection of its own."""
    thread = threading.Thread(target=lambda: (work(), connection.close()))
    thread.start()
    thread.join()


def enrol_behind_the_doors() -> None:
    version = WorkflowVersion.objects.get()
    Enrolment.objects.create(
        workflow_id=version.workflow_id, version=version, contact_id=journeys.contact().pk, lane="urgent",
        state="active", step="tag", wake_at=clock.now(), entered_at=clock.now(),
    )  # fmt: skip


def after_a_call(work: Callable[[], object], *fixtures: str) -> None:
    """What pytest does around the function of every test."""
    around = conftest.pytest_runtest_call(SimpleNamespace(fixturenames=fixtures))
    next(around)
    work()
    with pytest.raises(StopIteration):
        around.send(None)


def test_a_second_connection_makes_a_race_and_the_own_one_does_not():
    def copied() -> None:
        other = connection.copy()
        other.ensure_connection()
        other.close()

    def again() -> None:
        connection.close()
        ask()

    for work, is_one in ((ask, False), (again, False), (lambda: beside(ask), True), (copied, True)):
        with races.Race() as race:
            work()
        assert race.happened is is_one


def test_what_a_race_did_not_count_fails_its_test():
    journeys.publish(definition({"tag": step("add_tag", tag="t")}))
    after_a_call(lambda: beside(ask))
    with pytest.raises(AssertionError, match=r"journey entered .*: counted 0, the facts say 1"):
        after_a_call(lambda: beside(enrol_behind_the_doors))
    with pytest.raises(AssertionError, match="after the race"):
        after_a_call(lambda: beside(ask))
    after_a_call(ask)
    after_a_call(lambda: beside(ask), "live_server")
    rebuild.replace()  # this test is a race itself
    after_a_call(lambda: beside(ask))
