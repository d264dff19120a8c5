"""One seed being played: what is done next, by whom, how far the clock moves, and who dies, all by the dice."""

from __future__ import annotations

import random
import traceback
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db import connection

from contacts import transactions
from tests.simulation.baton import Actor, Job, Rates
from tests.simulation.stage import Stage, answer
from workflows.scratch.driver import IDLE

MOST_DECISIONS = 20_000
LOOKS = 12  # how often what came due is rung for again, before it counts as forgotten
RUNG = 2  # of which so often without a sweep
PAUSES = (0.05, 0.8, 2.5, 2.5)  # seconds by which everybody is late at once; a lease is two
# Where it matters what others do meanwhile: chance alone would seldom strike there.
REQUESTS = frozenset({"delivery.gate", "delivery.claimed", "esp.written"})
DELICATE = REQUESTS | {"engine.claimed", "admission.counted", "intake.taken", "looking.locked"}
_CAP_EXCEEDED = """
    SELECT e.workflow_id FROM {schema}.workflow_enrolments e
      JOIN {schema}.workflows w ON w.id = e.workflow_id JOIN {schema}.workflow_versions v ON v.id = w.live_version_id
     WHERE e.state = 'active' AND e.capped
     GROUP BY 1 HAVING count(*) > min((v.definition #>> '{{settings,concurrency_cap}}')::int)
"""


class Play:
    """`trace`: every decision, in order. `faults`: what must not be, in words."""

    def __init__(self, stage: Stage, seed: str) -> None:
        self.stage, self.crew, self.time = stage, stage.crew, stage.time
        self.dice = random.Random(seed)
        self.trace: list[str] = []
        self.faults: list[str] = []
        self.jobs: list[Job] = []
        self.surprises: list[Job] = []  # begun when somebody stands where it matters
        self.pauses = 0  # how often the clock may move on while somebody is in the middle of something
        self.backlog = ""  # bells whose name begins so are answered when all else is done: their queue is long
        self.sweeps: tuple[Callable[..., object], ...] = ()  # production's, of the floors on which there is work
        self._news_is_lost = False
        self.crew.dice, self.crew.rates = self.dice, Rates(self.dice)
        self.crew.killed = []
        self.crew.say, self.crew.after_commit = self.say, self._look_at_the_cap

    def say(self, words: str) -> None:
        self.trace.append(f"{self.time.monotonic():.6f} {words}")

    def settle(self, jobs: Iterable[Job] = ()) -> None:
        """Until all of that is done, every bell is answered, and nobody is under way."""
        self.jobs += jobs
        while self._decide():
            assert len(self.trace) < 10 * MOST_DECISIONS, "the engine never comes to rest"

    def calm(self) -> None:
        """The faults stop; whatever got lost is found."""
        self.crew.rates.calm()
        self.pauses = 0
        self._news_is_lost = True
        self.settle()

    def ring(self, *bells: tuple[str, str]) -> None:
        self.stage.bells.update(bells)

    # -- deciding ------------------------------------------------------------------------------------------------------
    def _decide(self) -> bool:
        """One decision. False: there is nothing left to decide at this instant."""
        actors = self.crew.actors
        for actor in actors:
            if actor.state == "asleep" and actor.wakes <= self.time.monotonic():
                actor.state = "ready"
        ready = [actor for actor in actors if actor.state == "ready"]
        idle = [actor for actor in actors if actor.state == "idle"]
        if (holders := self.crew.holders()) is not None:
            # were there two who wait, and were let go at once, then the machine would decide who of them is first
            ready, idle = [actor for actor in ready if actor in holders], []
        is_delicate = any(actor.place in REQUESTS for actor in ready)
        if self.surprises and idle and self.dice.random() < (0.4 if is_delicate else 0.02):
            self._begin(idle[0], self._surprise())
            return True
        # while somebody waits for a request that may still begin, being late is what matters
        is_waited_for = is_delicate and any(actor.state == "asleep" for actor in actors)
        if self.pauses and ready and self.dice.random() < (0.5 if is_waited_for else 0.02):
            self._pause_everybody()
            return True
        choices: list[Callable[[], None]] = []
        if idle:
            choices += [partial(self._take, idle[0], number) for number in range(len(self.jobs))]
            choices += [partial(self._answer, idle[0], bell) for bell in self._heard()]
        choices += [partial(self._go_on, actor) for actor in ready if actor.place not in DELICATE]
        # who stands where it matters often stays there while others do something
        if not choices or self.dice.random() < 0.4:
            choices += [partial(self._go_on, actor) for actor in ready if actor.place in DELICATE]
        if choices:
            self.dice.choice(choices)()
            return True
        return self._untie(actors) or self._sweep()

    def _heard(self) -> list[tuple[str, str]]:
        bells = sorted(bell for bell in self.stage.bells if bell[0] not in IDLE)
        prompt = [bell for bell in bells if not (self.backlog and bell[0].startswith(self.backlog))]
        under_way = [actor.job for actor in self.crew.actors if actor.job is not None]
        is_all_else_done = not self.jobs and not prompt and all(job.name.startswith(self.backlog) for job in under_way)
        return bells if is_all_else_done else prompt

    def _surprise(self) -> Job:
        """Rather about somebody to whom something is being sent than about anybody."""
        aimed: set[int] = {
            contact_id
            for (contact_id,) in self.stage.keeper.execute(
                f"SELECT contact_id FROM {self.stage.schema}.outbox WHERE state = 'sending' OR due_at <= %s",
                [self.time.now()],
            )
        }
        places = [place for place, job in enumerate(self.surprises) if job.about in aimed]
        return self.surprises.pop(places[0] if places else 0)

    def _go_on(self, actor: Actor) -> None:
        self.crew.step(actor)
        self._look_back()

    def _take(self, actor: Actor, number: int) -> None:
        self._begin(actor, self.jobs.pop(number))

    def _answer(self, actor: Actor, bell: tuple[str, str]) -> None:
        rates = self.crew.rates
        if rates.lose_bell and self.dice.random() < rates.lose_bell:
            self.stage.bells.discard(bell)
            self._news_is_lost = True
            self.say(f"bell {' '.join(bell)} is lost")
            return
        if not (rates.double_bell and self.dice.random() < rates.double_bell):
            self.stage.bells.discard(bell)
        self._begin(actor, Job(" ".join(bell), partial(answer, *bell)))

    def _begin(self, actor: Actor, job: Job) -> None:
        self.say(f"{actor.number} begins {job.name}")
        self.crew.start(actor, job)
        self._look_back()

    def _look_back(self) -> None:
        """Who has ended, and how. Whoever asked, and was not answered, asks again."""
        for actor in self.crew.actors:
            if actor.state != "idle" or actor.job is None:
                continue
            job, actor.job = actor.job, None
            if actor.error is not None and transactions.sqlstate(actor.error) not in transactions.PASSING:
                told = "".join(traceback.format_exception(actor.error)[-3:])
                self.faults.append(f"{job.name} failed: {told}")
            if actor.error is not None or actor.is_dead:
                self._news_is_lost = True
                if job.is_repeated and not (actor.commits and job.is_once):
                    self.jobs.append(job)
            else:
                job.then()

    def _untie(self, actors: list[Actor]) -> bool:
        """Nobody can go on by themselves: time passes, or two wait for each other."""
        if asleep := [actor.wakes for actor in actors if actor.state == "asleep"]:
            self._move(min(asleep) - self.time.monotonic() + 1e-6)
            return True
        if blocked := [actor for actor in actors if actor.state == "blocked"]:
            victim = self.dice.choice(blocked)
            self.say(f"{victim.number} is chosen in a deadlock")
            self.crew.victimise(victim)
            return True
        return False

    def _sweep(self) -> bool:
        if not self._news_is_lost:
            return False
        self._news_is_lost = False
        for look in self.sweeps:
            look(now=self.time.now())
        self.say(f"swept: {sorted(self.stage.bells)}")
        return True

    def _pause_everybody(self) -> None:
        self.pauses -= 1
        self._move(self.dice.choice(PAUSES))

    def _move(self, seconds: float) -> None:
        self.time.move_to(self.time.now() + timedelta(seconds=seconds))
        self.say("the clock moves")

    # -- looking -------------------------------------------------------------------------------------------------------
    def _look_at_the_cap(self, job: str) -> None:
        if "admi" not in job:
            return
        found = self.stage.keeper.execute(_CAP_EXCEEDED.format(schema=self.stage.schema)).fetchall()
        self.faults += [f"more are active in workflow {number} than it has places" for (number,) in found]

    def ask(self, statement: str, params: Any = None) -> list[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(statement, params)
            return cursor.fetchall()

    def pass_time(
        self,
        to: datetime | None,
        *,
        comes_due: str,
        jobs: Callable[[], Iterable[Job]] = list,
    ) -> None:
        """Until that instant, or until nothing more comes due: what comes due is rung for, and done. What no bell tells
        of is found by the sweep, which production makes every second: a place that is free again, or somebody whom a
        claim has passed over because another actor held the row. `comes_due`: a statement for what does, as (when,
        task, lane); in it `{now}` is the time."""
        before, looks = None, 0
        while True:
            rows = [row for row in self.ask(comes_due.format(now=self.time.now().isoformat())) if row[0] is not None]
            due = min((row[0] for row in rows), default=None)
            if due is None or (to is not None and due > to):
                break
            looks = looks + 1 if due == before else 0
            if looks > LOOKS:
                self.faults.append(f"what is due at {due} is never done")
                break
            if not looks:
                before = due
                self.time.move_to(due)
                self.say("something is due")
            self._news_is_lost = self._news_is_lost or looks >= RUNG
            self.ring(*[(task, lane) for at, task, lane in rows if at == due])
            self.settle(jobs())
        if to is not None:
            self.time.move_to(to)
