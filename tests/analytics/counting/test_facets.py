"""Parts of the counters: by template and by variant, in the same transaction, and equal to a recount."""

from __future__ import annotations

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from analytics.counting import counters, rebuild
from analytics.models import Counter, CounterDelta
from contacts import clock
from delivery import ledger
from delivery.ledger import Entry
from delivery.models import Message
from delivery.signals import MessageOutcome, messages_decided
from tests import journeys
from tests.analytics.counting.conftest import document
from tests.journeys import step
from tests.workflows.edit_plans import carry_out, undo
from workflows import variants
from workflows.models import Enrolment, ExperimentAssignment
from workflows.watches import exits

pytestmark = pytest.mark.django_db(transaction=True)


def assigned(variant: str) -> set[int]:
    return set(ExperimentAssignment.objects.filter(variant=variant).values_list("contact_id", flat=True))


def decide(messages, kind: str, reason: str = "") -> None:
    with transaction.atomic():
        ledger.close([Entry(message.pk, kind, reason=reason) for message in messages], now=clock.now())


def test_messages_are_counted_by_template_over_all_steps(split):
    stories = len(assigned("story"))
    assert 0 < stories < 12
    journeys.wake_all()
    journeys.run()
    decide(Message.objects.filter(step="welcome").order_by("pk")[:5], "accepted")
    decide(Message.objects.filter(step="bye").order_by("pk")[:2], "capped", "frequency_cap")
    total = counters.totals(split.pk)
    assert total["templates"] == {
        "tour": {"queued": stories},
        "welcome": {"queued": 24, "accepted": 5, "capped": {"frequency_cap": 2}},
    }
    assert total["steps"]["welcome"]["queued"] == 12 and total["steps"]["welcome"]["accepted"] == 5
    assert rebuild.compare().differences == ()


def test_a_variant_counts_what_people_did_after_they_took_it(split):
    stories = assigned("story")
    journeys.wake_all()
    journeys.run()
    decide(Message.objects.filter(step="welcome"), "accepted")  # made before anybody had a variant
    decide(Message.objects.filter(step="bye", contact_id__in=stories), "accepted")
    words = counters.totals(split.pk)["variants"]["words"]
    assert words["story"] == {
        "entered": len(stories), "here_now": 0, "completed": len(stories), "exited": {}, "failed": 0,
        "steps": {
            "tour": {"entered": len(stories), "left": {"next": len(stories)}, "queued": len(stories)},
            "pause": {"entered": len(stories), "left": {"next": len(stories)}},
            "won": {"entered": len(stories), "left": {"next": len(stories)}, "reached": len(stories)},
            "bye": {"entered": len(stories), "left": {"next": len(stories)}, "queued": len(stories),
                    "accepted": len(stories)},
        },
    }  # fmt: skip
    assert "tour" not in words["offer"]["steps"] and words["offer"]["entered"] == 12 - len(stories)
    assert rebuild.compare().differences == ()


def test_who_leaves_early_leaves_their_variant_too(split):
    stories = assigned("story")
    leaving = list(Enrolment.objects.filter(contact_id__in=stories).values_list("pk", flat=True))[:2]
    with transaction.atomic():
        assert exits.leave(leaving, reason="disqualified", now=clock.now()) == len(leaving)
    story = counters.totals(split.pk)["variants"]["words"]["story"]
    assert story["exited"] == {"disqualified": len(leaving)}
    assert story["here_now"] == len(stories) - len(leaving)
    assert rebuild.compare().differences == ()


def test_who_is_moved_out_of_a_version_is_no_longer_in_its_variants(split):
    journeys.publish(document(split=None, welcome=step("send_email", {"next": "tour"}, template="welcome")))
    plan = carry_out({"pause": "move"})
    total = counters.totals(split.pk)["variants"]["words"]
    assert sum(each["moved_out"] for each in total.values()) == 12
    assert [each["here_now"] for each in total.values()] == [0, 0]
    assert rebuild.compare().differences == ()
    undo(plan)
    total = counters.totals(split.pk)["variants"]["words"]
    assert sum(each["here_now"] for each in total.values()) == 12
    journeys.wake_all()
    journeys.run()
    assert rebuild.compare().differences == ()


def test_a_wrong_part_is_named_and_put_right(split):
    while counters.fold():
        pass
    Counter.objects.filter(facet="template:tour", metric="queued").update(amount=99)
    Counter.objects.filter(facet="variant:words:story", metric="entered", step="tour").delete()
    wrong = {(each.step, each.facet, each.metric): (each.counted, each.facts) for each in rebuild.compare().differences}
    stories = len(assigned("story"))
    assert wrong == {
        ("tour", "template:tour", "queued"): (99, stories),
        ("tour", "variant:words:story", "entered"): (0, stories),
    }
    rebuild.replace()
    assert rebuild.compare().differences == ()


@pytest.mark.parametrize("size", [1, 12])
def test_parts_are_written_in_the_statement_of_the_whole(split, size):
    messages = list(Message.objects.filter(step="tour").order_by("pk")) * size
    outcomes = tuple(
        MessageOutcome(m.pk, m.contact_id, m.workflow_id, m.version_id, m.step, "accepted",
                       template_version_id=m.template_version_id)
        for m in messages[:size]
    )  # fmt: skip
    CounterDelta.objects.all().delete()
    with CaptureQueriesContext(connection) as queries, transaction.atomic():
        messages_decided.send(sender=None, outcomes=outcomes, now=clock.now())
    asked = [query["sql"] for query in queries if "SAVEPOINT" not in query["sql"]]
    assert len([sql for sql in asked if "counter_deltas" in sql]) == 1
    assert len([sql for sql in asked if "workflow_journal" in sql]) == 1
    assert dict(CounterDelta.objects.values_list("facet", "amount")) == {
        "": size, "template:tour": size, "variant:words:story": size,
    }  # fmt: skip


def test_where_nothing_is_tried_nobody_asks_for_variants(lived, django_assert_num_queries):
    versions = dict(Enrolment.objects.values_list("pk", "version_id"))
    variants.of(versions)  # the version is compiled once in a process
    with django_assert_num_queries(0):
        assert variants.of(versions) == {}
