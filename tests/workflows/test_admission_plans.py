"""What looks for work many times a second reads indexes, whatever the table holds and the planner hopes for."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from contacts import clock, transactions
from tests import journeys
from tests.journeys import definition, step
from workflows import admission, archiving, engine, pausing, sweep
from workflows.models import Workflow
from workflows.watches import exit_sweeping

pytestmark = pytest.mark.django_db(transaction=True)

MANY = """
    INSERT INTO workflow_enrolments (workflow_id, version_id, contact_id, lane, state, step, wake_at, held, capped,
                                     entered_at, finished_at, trigger)
    SELECT w.id, w.live_version_id, n, 'bulk', %s, 'tag', now() + %s, %s, %s, now(), %s, '{}'
      FROM workflows w, generate_series(1, 4000) AS n WHERE w.slug = %s
"""


@pytest.fixture
def crowd():
    """Crowds that wait for places, for time, and for the end of a pause; and a workflow that nobody is in."""
    for slug in ("pending", "capped", "paused", "finished", "empty"):
        journeys.publish(definition({"tag": step("add_tag", tag="t")}, slug=slug, settings={"concurrency_cap": 500}))
    with connection.cursor() as cursor:
        for state, wake, held, capped, finished, slug in (
            ("pending", "0", False, True, None, "pending"),
            ("waiting", "1 day", True, True, None, "capped"),
            ("active", "-1 hour", True, False, None, "paused"),
            ("completed", "0", False, True, "now", "finished"),
        ):
            cursor.execute(MANY, [state, wake, held, capped, finished, slug])
    Workflow.objects.filter(slug="paused").update(status="paused")
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE workflow_enrolments")


def scans(deed, sign: str = "Seq Scan on workflow_enrolments") -> list[str]:
    """The plans of what `deed` asks of the enrolments, in which the whole table is read, or another sign of waste."""
    with CaptureQueriesContext(connection) as queries:
        deed()
    found = []
    for sql in {query["sql"] for query in queries if "workflow_enrolments" in query["sql"]}:
        with connection.cursor() as cursor:
            cursor.execute("EXPLAIN " + sql)
            plan = "\n".join(row[0] for row in cursor.fetchall())
        if re.search(sign, plan):
            found.append(f"{sql}\n{plan}")
    return found


@pytest.mark.parametrize(
    "deed",
    [
        lambda: admission.lanes_with_work(now=clock.now()),
        lambda: admission.admit_batch(lane="urgent"),
        lambda: admission.admit_batch(lane="bulk"),
        lambda: engine.advance_batch(lane="urgent"),
        lambda: engine.advance_batch(lane="bulk"),
        pausing.is_work_waiting,
        pausing.release_batch,
        archiving.is_work_waiting,
        lambda: transactions.run(archiving.empty_batch),
        lambda: sweep.ring_where_work_waits(now=clock.now()),
    ],
    ids=["sweep for places", "admit urgent", "admit bulk", "claim urgent", "claim bulk", "sweep for the laid aside",
         "release", "sweep for who is left", "empty", "sweep"],
)  # fmt: skip
def test_looking_for_work_never_reads_the_table(crowd, deed):
    assert scans(deed) == []


def test_taking_up_what_was_laid_aside_never_reads_the_table(crowd):
    Workflow.objects.filter(slug="paused").update(status="live")
    assert scans(pausing.release_batch) == []


def test_emptying_an_archived_workflow_never_reads_the_table(crowd, monkeypatch):
    monkeypatch.setattr(archiving, "BATCH", 50)  # of 4,000: a quarter would be worth the table
    Workflow.objects.filter(slug="capped").update(status="archived")
    assert archiving.is_work_waiting()
    assert scans(lambda: transactions.run(archiving.empty_batch)) == []


def test_a_slice_of_those_whom_time_takes_out_is_read_in_order(crowd):
    """Not all who are left, sorted anew for each slice."""
    now = clock.now()
    exit_sweeping.begin(Workflow.objects.get(slug="capped").live_version_id, now=now)
    later = now + exit_sweeping.every()
    assert scans(lambda: transactions.run(lambda _: exit_sweeping.sweep_batch(later)), "Sort Key: contact_id") == []


def test_a_query_that_hopes_for_luck_is_noticed(crowd):
    def hope() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT EXISTS (SELECT FROM workflow_enrolments WHERE lane = 'bulk' AND seq = 0)")

    assert scans(hope)
