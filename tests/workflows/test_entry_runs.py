"""Whole audiences are brought in: a slice at a time, everybody once, wherever somebody is killed."""

from __future__ import annotations

import threading

import pytest
from django.db import connection, transaction

from contacts import chaos, clock
from contacts.models import Contact
from tests import journeys
from tests.journeys import definition, step
from workflows import publishing
from workflows.definition.schema import Definition
from workflows.entry import entry_runs
from workflows.models import Enrolment, EntryRefusal, EntryRun, Workflow

pytestmark = pytest.mark.django_db(transaction=True)

END = {"tag": step("add_tag", tag="t")}
GERMANS = {"field": "country", "op": "eq", "value": "DE"}


def entry(trigger: dict | None = None, **more) -> dict:
    return {"trigger": trigger or {"type": "manual"}, **more}


def run_of(slug: str = "journey") -> EntryRun:
    return EntryRun.objects.filter(workflow__slug=slug).latest("id")


def begin(kind: str = "api", **more) -> EntryRun:
    workflow = Workflow.objects.get(slug="journey")
    with transaction.atomic():
        return entry_runs.begin(
            workflow_id=workflow.pk, version_id=workflow.live_version_id, kind=kind, by="test", now=clock.now(), **more
        )


def enter_all(**sizes: int) -> int:
    slices = 0
    while entry_runs.enter_slice(**sizes):
        slices += 1
    return slices


def entered() -> list[int]:
    return list(Enrolment.objects.order_by("contact_id").values_list("contact_id", flat=True))


def refusals() -> list[tuple[int, str]]:
    return list(EntryRefusal.objects.order_by("contact_id").values_list("contact_id", "reason"))


def test_publishing_with_enrol_existing_brings_in_the_audience_and_nobody_else():
    here = journeys.contacts(3, attributes={"country": "DE"})
    journeys.contact("elsewhere@example.com", attributes={"country": "US"})
    journeys.publish(definition(END, entry=entry(audience=GERMANS, enrol_existing=True)))
    journeys.run()
    assert entered() == here
    assert set(Enrolment.objects.values_list("lane", "trigger__type")) == {("bulk", "existing")}
    run = run_of()
    assert (run.state, run.entered, run.refused, run.looked_at) == ("done", 3, 0, 4)
    assert not EntryRefusal.objects.exists()


def test_publishing_without_it_brings_in_nobody():
    journeys.contacts(2)
    journeys.publish(definition(END, entry=entry()))
    journeys.run()
    assert entered() == [] and not EntryRun.objects.exists()


@pytest.mark.parametrize("policy", ["never", "every_time"])
def test_a_later_publish_does_not_bring_in_the_same_people_again(policy):
    journeys.contacts(2)
    document = definition(END, entry=entry(enrol_existing=True, re_entry={"policy": policy}))
    journeys.publish(document)
    journeys.run()
    journeys.contact("new@example.com")
    journeys.publish(document)
    journeys.run()
    assert Enrolment.objects.count() == 3 and not EntryRefusal.objects.exists()


def test_a_later_version_ends_the_run_of_the_one_before_and_says_anew_whether_anybody_is_brought_in():
    journeys.contacts(5)
    journeys.publish(definition(END, entry=entry(enrol_existing=True)))
    entry_runs.enter_slice(slice_=2)
    journeys.publish(definition(END, entry=entry()))
    enter_all()
    assert run_of().state == "stopped" and Enrolment.objects.count() == 2


@pytest.mark.parametrize(("slice_", "page"), [(1, 1), (2, 3), (3, 2), (7, 100), (1000, 10_000)])
def test_every_size_of_slice_and_page_brings_in_the_same_people(slice_, page):
    ids = [journeys.contact(f"p{n}@example.com", attributes={"country": "DE" if n % 3 else "US"}).pk for n in range(11)]
    journeys.publish(definition(END, entry=entry()))
    begin(audience=GERMANS)
    enter_all(slice_=slice_, page=page)
    assert entered() == [pk for n, pk in enumerate(ids) if n % 3]
    run = run_of()
    assert (run.state, run.entered, run.looked_at, entry_runs.share(run)) == ("done", 7, 11, 1.0)


def test_those_outside_the_audience_of_the_journey_are_refused_with_what_was_read():
    here = journeys.contact("de@example.com", attributes={"country": "DE"}).pk
    there = journeys.contact("us@example.com", attributes={"country": "US"}).pk
    journeys.publish(definition(END, entry=entry(audience=GERMANS)))
    begin()
    enter_all()
    assert entered() == [here] and refusals() == [(there, "audience")]
    refusal = EntryRefusal.objects.get()
    assert refusal.event_id is None and refusal.version_id == Workflow.objects.get().live_version_id
    assert refusal.detail == {"by": "api", "read": ["US"]}
    assert (run_of().entered, run_of().refused) == (1, 1)


def test_rollout_holdout_and_re_entry_are_decided_for_runs_as_for_events():
    ids = journeys.contacts(40)
    journeys.publish(definition(END, entry=entry(), settings={"rollout_percent": 50, "holdout_percent": 50}))
    for _ in range(2):
        begin()
        enter_all()
    reasons = {reason for _, reason in refusals()}
    assert reasons == {"rollout", "holdout", "re_entry"}
    assert 0 < len(entered()) < 40
    assert len(refusals()) == 2 * 40 - len(entered()) and set(entered()) < set(ids)
    rollout = EntryRefusal.objects.filter(reason="rollout").first()
    assert rollout.detail["percent"] == 50 and rollout.detail["bucket"] >= 5000


def test_contacts_who_come_after_it_began_are_not_looked_at():
    journeys.contacts(2)
    journeys.publish(definition(END, entry=entry()))
    begin()
    journeys.contact("late@example.com")
    enter_all()
    assert Enrolment.objects.count() == 2 and run_of().looked_at == 2


def test_the_erased_and_the_merged_are_not_looked_for(now):
    alive, gone, merged = journeys.contacts(3)
    Contact.objects.filter(pk=gone).update(erased_at=now)
    Contact.objects.filter(pk=merged).update(merged_into_id=alive)
    journeys.publish(definition(END, entry=entry()))
    begin()
    enter_all()
    assert entered() == [alive] and refusals() == []


def test_properties_are_the_trigger_and_make_the_entry_key():
    journeys.contacts(1)
    journeys.publish(definition(END, entry=entry(re_entry={"policy": "never", "key": "event.order.id"})))
    for order in ("A", "B", "A"):
        begin(properties={"order": {"id": order}})
        enter_all()
    assert sorted(Enrolment.objects.values_list("entry_key", "trigger__properties__order__id")) == [
        ("A", "A"),
        ("B", "B"),
    ]


def test_a_run_waits_while_the_journey_is_paused_and_ends_when_it_is_archived(now):
    journeys.contacts(4)
    journeys.publish(definition(END, entry=entry()))
    begin()
    entry_runs.enter_slice(slice_=1)
    publishing.pause(slug="journey", now=now)
    assert enter_all() == 0
    publishing.resume(slug="journey", now=now)
    entry_runs.enter_slice(slice_=1)
    publishing.archive(slug="journey", now=now)
    assert enter_all() == 0
    assert run_of().state == "stopped" and Enrolment.objects.count() == 2


def test_a_stopped_run_brings_in_nobody_else_and_keeps_who_entered(now):
    journeys.contacts(4)
    journeys.publish(definition(END, entry=entry()))
    run = begin()
    entry_runs.enter_slice(slice_=1)
    assert entry_runs.stop(public_id=run.public_id, now=now)
    assert not entry_runs.stop(public_id=run.public_id, now=now)
    assert enter_all() == 0 and Enrolment.objects.count() == 1


class Killed(BaseException):
    """As good as a SIGKILL: nothing after it happens."""


def test_killed_in_a_slice_nothing_of_it_happened_and_the_next_worker_does_all_of_it(monkeypatch):
    ids = journeys.contacts(6)
    journeys.publish(definition(END, entry=entry()))
    begin()
    entry_runs.enter_slice(slice_=2)

    def kill(place: str) -> None:
        if place == "entry_runs.entered":
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(chaos, "point", kill)
        with pytest.raises(Killed):
            entry_runs.enter_slice(slice_=2)
    assert Enrolment.objects.count() == 2 and run_of().entered == 2
    enter_all(slice_=2)
    assert entered() == ids and run_of().entered == 6


def test_many_workers_on_one_run_bring_in_everybody_once():
    ids = journeys.contacts(60)
    journeys.publish(definition(END, entry=entry(re_entry={"policy": "every_time"})))
    begin()
    problems: list[Exception] = []

    def work() -> None:
        try:
            for _ in range(300):
                if not EntryRun.objects.filter(state="running").exists():
                    break
                entry_runs.enter_slice(slice_=4)
        except Exception as error:
            problems.append(error)
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert problems == []
    assert entered() == ids and run_of().entered == 60 and run_of().looked_at == 60
    assert not EntryRefusal.objects.exists()


# -- counted first -----------------------------------------------------------------------------------------------------


def counted(document: dict, kind: str = "existing", **more) -> entry_runs.Counted:
    workflow = Workflow.objects.filter(slug="journey").first()
    with transaction.atomic():
        return entry_runs.count(
            Definition.model_validate(document),
            workflow_id=workflow.pk if workflow else 0,
            kind=kind,
            now=clock.now(),
            **more,
        )


def test_the_count_says_how_many_would_enter_how_many_there_are_and_who_for_example():
    here = journeys.contacts(3, attributes={"country": "DE"})
    journeys.contact("elsewhere@example.com")
    document = definition(END, entry=entry(audience=GERMANS, enrol_existing=True))
    found = counted(document)
    assert (found.count, found.total, sorted(found.sample), found.estimated) == (3, 4, here, False)
    journeys.publish(document)
    journeys.run()
    assert counted(document).count == 0
    assert counted(document, "manual", audience=GERMANS).count == 3


@pytest.mark.parametrize(
    ("trigger", "stands", "does_not"),
    [
        ({"type": "tag_added", "tag": "vip"}, "tagged", "plain"),
        ({"type": "form_submitted", "form": "demo"}, "asked", "plain"),
    ],
)
def test_existing_are_those_who_stand_already_where_the_trigger_leads(trigger, stands, does_not):
    people = {name: journeys.contact(f"{name}@example.com").pk for name in ("tagged", "asked", "plain")}
    from contacts.audiences import tags

    with transaction.atomic():
        tags.add_tag(contact_ids=[people["tagged"]], tag="vip", source="api", now=clock.now())
    journeys.track(people["asked"], "form_submitted", properties={"form": "demo"})
    journeys.track(people["plain"], "form_submitted", properties={"form": "other"})
    journeys.publish(definition(END, entry=entry(trigger, enrol_existing=True)))
    journeys.run()
    assert entered() == [people[stands]] and people[does_not] not in entered()


def test_a_short_run_does_not_wait_for_the_end_of_a_long_one():
    journeys.publish(definition(END, entry=entry()))
    journeys.contacts(5)
    long, short = begin(), begin()
    assert entry_runs.enter_slice(slice_=1)
    long.refresh_from_db()
    short.refresh_from_db()
    assert long.position == short.position > 0
