"""Steps that bring nothing about outside the engine's tables are taken one after the other in one batch."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from contacts.models import ContactTag
from delivery.models import Message
from tests import journeys
from tests.journeys import definition, step
from tests.workflows.test_send_message import template
from workflows import engine, intake
from workflows.models import DeadLetter, Enrolment, JournalEntry
from workflows.steps.branch import Branch

pytestmark = pytest.mark.django_db(transaction=True)

PRO = {"field": "plan", "op": "eq", "value": "pro"}


def branch(yes: str | None, otherwise: str | None) -> dict:
    return step("branch", {"yes": yes, "else": otherwise}, arms=[{"key": "yes", "if": PRO}])


def chain(length: int, **more: dict) -> dict:
    """branch-0 → branch-1 → … → the end."""
    following = [f"branch-{number}" for number in range(1, length)]
    last = next(iter(more), None)
    steps = {f"branch-{number}": branch(*[target] * 2) for number, target in enumerate([*following, last])}
    return definition(steps | more)


def enter(count: int, document: dict) -> list[int]:
    journeys.publish(document)
    ids = journeys.contacts(count)
    journeys.track(ids, "signed_up")
    while intake.match_batch(lane="urgent"):
        pass
    return ids


def test_a_row_of_branches_is_one_batch_and_the_journal_has_every_step():
    (contact_id,) = enter(1, chain(4))
    assert engine.advance_batch(lane="urgent")
    enrolment = journeys.enrolment(contact_id)
    assert (enrolment.state, enrolment.step, enrolment.seq) == ("completed", "branch-3", 4)
    rows = JournalEntry.objects.filter(enrolment_id=enrolment.pk).order_by("seq")
    assert [(row.seq, row.step, row.port) for row in rows] == [(n + 1, f"branch-{n}", "else") for n in range(4)]


def test_nobody_takes_more_than_eight_steps_at_once_and_the_rest_follow():
    (contact_id,) = enter(1, chain(20))
    for at in ("branch-8", "branch-16"):
        assert engine.advance_batch(lane="urgent")
        assert (journeys.enrolment(contact_id).state, journeys.enrolment(contact_id).step) == ("active", at)
    assert engine.advance_batch(lane="urgent")
    assert journeys.enrolment(contact_id).state == "completed"
    assert JournalEntry.objects.count() == 20


def test_what_a_step_brings_about_is_there_when_the_next_one_reads():
    tagged = {"has_tag": "vip"}
    steps = {
        "ask": branch("tag", "tag"),
        "tag": step("add_tag", {"next": "look"}, tag="vip"),
        "look": step("branch", {"yes": "end", "else": None}, arms=[{"key": "yes", "if": tagged}]),
        "end": step("exit", {}),
    }
    (contact_id,) = enter(1, definition(steps))
    engine.advance_batch(lane="urgent")
    assert journeys.enrolment(contact_id).step == "look"
    assert ContactTag.objects.filter(contact_id=contact_id).count() == 1
    journeys.run()
    assert ("look", "advanced", "yes") in journeys.path(journeys.enrolment(contact_id).pk)


def test_a_wait_after_a_branch_is_begun_in_the_same_batch_and_its_journal_is_whole():
    (contact_id,) = enter(1, chain(2, rest=step("wait", mode="duration", **{"for": "P1D"})))
    engine.advance_batch(lane="urgent")
    enrolment = journeys.enrolment(contact_id)
    assert (enrolment.state, enrolment.step, enrolment.seq) == ("waiting", "rest", 3)
    assert enrolment.waiting_since is not None and enrolment.wake_at > enrolment.waiting_since
    journeys.wake_all()
    journeys.run()
    assert journeys.path(enrolment.pk)[-2:] == [("rest", "waiting", ""), ("rest", "advanced", "next")]


def test_each_person_goes_their_own_way_and_the_counts_are_theirs():
    template("email")
    steps = {
        "ask": branch("again", "mail"),
        "again": branch("mail", None),
        "mail": step("send_email", template="email"),
    }
    journeys.publish(definition(steps))
    ids = [*journeys.contacts(3, attributes={"plan": "pro"}), journeys.contact(email="other@example.com").pk]
    journeys.track(ids, "signed_up")
    journeys.run()
    assert Message.objects.count() == 4
    assert Enrolment.objects.filter(state="completed").count() == 4
    ways = JournalEntry.objects.filter(outcome="advanced").values_list("step", "port")
    assert sorted(ways) == sorted(
        [("ask", "yes")] * 3 + [("ask", "else")] + [("again", "yes")] * 3 + [("mail", "next")] * 4
    )


def test_whoever_fails_fails_where_it_stands_and_keeps_the_steps_before(monkeypatch):
    ids = enter(3, chain(3))
    real = Branch.run

    def stumble(self, cohort, prepared, now):
        if cohort.step == "branch-2" and any(member.contact_id == ids[1] for member in cohort.members):
            raise RuntimeError("no")
        return real(self, cohort, prepared, now)

    monkeypatch.setattr(Branch, "run", stumble)
    for _ in range(10):
        journeys.run()
        journeys.try_again_now()
    failed = journeys.enrolment(ids[1])
    assert (failed.state, failed.step) == ("failed", "branch-2")
    assert [each[0] for each in journeys.path(failed.pk)] == ["branch-0", "branch-1", "branch-2"]
    assert DeadLetter.objects.get().step == "branch-2"
    assert Enrolment.objects.filter(state="completed").count() == 2


def test_a_batch_that_fans_out_costs_a_bounded_number_of_statements():
    """Twenty groups go on in a batch; those that they lead to come with the next one."""
    arms = [{"key": f"a{n}", "if": {"field": "n", "op": "eq", "value": n}} for n in range(20)]
    steps = {
        "split": step("branch", {f"a{n}": f"b{n}" for n in range(20)} | {"else": None}, arms=arms),
        **{f"b{n}": branch(f"c{n}", f"c{n}") for n in range(20)},
        **{f"c{n}": branch(None, None) for n in range(20)},
    }
    journeys.publish(definition(steps))
    ids = [journeys.contact(email=f"p{n}@example.com", attributes={"n": n}).pk for n in range(20)]
    journeys.track(ids, "signed_up")
    while intake.match_batch(lane="urgent"):
        pass
    with CaptureQueriesContext(connection) as statements:
        engine.advance_batch(lane="urgent")
    assert {each.step[0] for each in Enrolment.objects.filter(state="active")} == {"c"}
    assert len(statements) < engine.GROUPS_PER_BATCH + 25
    journeys.run()
    assert Enrolment.objects.filter(state="completed").count() == 20
