"""Versions while people are under way: each runs the one that they entered with (I21), and an edit plan that is carried
out while the engine runs loses nobody, doubles nobody and runs no step again."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable

import pytest
from django.db import connections, transaction

from analytics.counting import books
from contacts import clock, transactions
from contacts.models import ContactTag
from tests import journeys
from tests.journeys import definition, step
from workflows import engine, intake, publishing, versions
from workflows.editing import edit_moves, edit_plan
from workflows.models import Enrolment, JournalEntry, WorkflowVersion

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*works: Callable[[], None]) -> None:
    """Each in a thread and on a connection of its own; what one of them raises is raised."""
    raised: list[BaseException] = []

    def run(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            raised.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if raised:
        raise raised[0]


def version_of(number: int) -> dict:
    steps = {f"s{n}": step("add_tag", {"next": f"s{n + 1}"}, tag=f"v{number}-s{n}") for n in range(4)}
    return definition({**steps, "s4": step("add_tag", tag=f"v{number}-s4")})


def test_fifty_versions_are_published_under_load_and_everybody_runs_the_one_they_entered_with():
    journeys.publish(version_of(1))
    ids = journeys.contacts(300)
    done = threading.Event()

    def publish() -> None:
        for number in range(2, 51):
            journeys.publish(version_of(number))
        done.set()

    def enter() -> None:
        for start in range(0, len(ids), 10):
            journeys.track(ids[start : start + 10], "signed_up")
            intake.match_batch(lane="urgent", limit=10)

    def advance() -> None:
        while not done.is_set():
            engine.advance_batch(lane="urgent", limit=7)

    at_once(publish, enter, advance, advance)
    journeys.run()
    entered = dict(Enrolment.objects.values_list("pk", "version__number"))
    assert len(entered) == 300 and len(set(entered.values())) > 3
    assert not Enrolment.objects.exclude(state="completed").exists()
    ran = JournalEntry.objects.values_list("enrolment_id", "version_id").distinct()
    assert len(ran) == 300 and dict(ran) == dict(Enrolment.objects.values_list("pk", "version_id"))
    tags = Counter(ContactTag.objects.values_list("contact_id", "tag__name"))
    wanted = {
        (contact_id, f"v{number}-s{n}")
        for contact_id, number in Enrolment.objects.values_list("contact_id", "version__number")
        for n in range(5)
    }
    assert set(tags) == wanted
    for version in WorkflowVersion.objects.all():
        executed = versions.load([version.pk])[version.pk].definition
        again = executed.model_dump(by_alias=True, exclude_unset=True)
        assert publishing.definition_hash(again) == version.definition_hash == publishing.definition_hash(
            version.definition
        )  # fmt: skip


def _edited(chance: random.Random, number: int) -> dict:
    """A line of steps of which some are left out, changed or new; the order of those that stay is kept."""
    names = [f"s{n}" for n in range(8) if chance.random() < 0.7] + [f"new{number}"]
    steps = {}
    for place, name in enumerate(names):
        following = names[place + 1] if place + 1 < len(names) else None
        if name in ("s2", "s5"):
            steps[name] = step("wait", {"next": following}, mode="duration", **{"for": f"P{chance.randint(1, 3)}D"})
        else:
            steps[name] = step("add_tag", {"next": following}, tag=chance.choice(["a", "b"]))
    return definition(steps)


@pytest.mark.parametrize("seed", range(2))
def test_edits_by_chance_lose_nobody_double_nobody_and_repeat_no_step(seed):
    chance = random.Random(seed)
    journeys.publish(_edited(random.Random(-1 - seed), 0))
    ids = journeys.contacts(60)
    for number in range(1, 5):
        journeys.track(ids[(number - 1) * 15 : number * 15], "signed_up")
        journeys.run()
        journeys.publish(_edited(chance, number))
        seen = edit_plan.survey("journey")
        decisions = {}
        for standing in seen.standings:
            ahead = [key for key in seen.targets if key >= standing.step]
            deeds = ["stay", "exit", *(["move"] * 4 if ahead else [])]
            deed = chance.choice(deeds)
            decisions[standing.step] = {"do": deed, "to": chance.choice(ahead)} if deed == "move" else deed
        read = edit_plan.read_decisions(decisions, seen)
        with transaction.atomic():
            plan = edit_plan.begin(slug="journey", to_version=seen.to_version, decisions=read, by="", now=clock.now())

        def carry_out(plan_id: int = plan.pk) -> None:
            while transactions.run(lambda now: edit_moves.carry_on(plan_id, now=now, limit=7)):
                pass

        def advance() -> None:
            for _ in range(20):
                engine.advance_batch(lane="urgent", limit=5)

        Enrolment.objects.filter(state="waiting", pk__in=chance.sample(range(1, 10_000), 3000)).update(
            wake_at=clock.now()
        )
        at_once(carry_out, advance, advance)
        if chance.random() < 0.5:
            with transaction.atomic():
                edit_plan.begin_undoing(slug="journey", public_id=plan.public_id, now=clock.now())
            at_once(carry_out, advance)
    for _ in range(10):
        journeys.wake_all()
        journeys.run()
    assert Enrolment.objects.count() == 60
    assert set(Enrolment.objects.values_list("state", flat=True)) <= {"completed", "exited"}
    passed = Counter(JournalEntry.objects.filter(outcome="advanced").values_list("enrolment_id", "step"))
    assert [place for place, times in passed.items() if times > 1] == []
    assert [book for book in books.balance() if not book.balanced] == []
    steps = {version.pk: set(version.definition["steps"]) for version in WorkflowVersion.objects.all()}
    for version_id, name in JournalEntry.objects.values_list("version_id", "step"):
        assert name in steps[version_id]
