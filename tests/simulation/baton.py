"""The baton: a few actors, each a thread with a database connection of its own, of which exactly one runs at any time.

An actor hands the baton back at every pause point, around every commit, now and then before a statement, and while it
sleeps. One that waits for a lock which another actor holds is stepped over until it has it. Who goes on is thrown with
the dice of the seed, so the same seed is the same interleaving: nothing here is decided by how fast anything was."""

from __future__ import annotations

import queue
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import psycopg
from django.db import OperationalError, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg.pq import TransactionStatus

from tests.simulation.virtual import Time

LOOK_SECONDS = 0.005  # whoever says nothing for so long is asked whether it waits for a lock; the answer is a fact
# Few come by here: of those, more die, so that somebody does in some hundred seeds.
SELDOM = dict.fromkeys(("looking.locked", "esp.written", "esp.asked", "delivery.answered"), 4)
PATIENCE_SECONDS = 60.0  # for one statement: then something hangs, and that is no finding of the simulation


class Killed(BaseException):
    """The process died here. No `except Exception` saves it; PostgreSQL rolls back."""


class Hung(RuntimeError):
    """An actor neither came back nor waits for anybody."""


class Rates:
    """How likely what is, at one look. `switch` and `crash` by the kind of the place: point, commit or statement."""

    def __init__(self, dice: random.Random) -> None:
        crash = dice.choice([0.0, 0.01, 0.03, 0.08])
        self.crash = {"point": crash, "commit": crash / 2, "statement": 0.0}
        self.switch = {"point": 0.8, "commit": 0.5, "statement": dice.choice([0.0, 0.02, 0.1])}
        self.lose_bell = dice.choice([0.0, 0.02, 0.1])
        self.double_bell = dice.choice([0.0, 0.2, 0.5])

    def calm(self) -> None:
        """No more faults; the order stays what the dice say."""
        self.crash = dict.fromkeys(self.crash, 0.0)
        self.lose_bell = self.double_bell = 0.0


@dataclass
class Job:
    """What an actor is asked to do. `is_repeated`: whoever asked for it asks again until it is answered; `is_once`:
    unless something of it was committed. `then`: it was answered. `about`: the contact whom it concerns."""

    name: str
    work: Callable[[], Any]
    is_repeated: bool = False
    is_once: bool = False
    then: Callable[[], None] = lambda: None
    about: int = 0


@dataclass
class Actor:
    number: int
    turn: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    job: Job | None = None
    pid: int = 0
    state: str = "idle"  # · running · ready · asleep · blocked; set by the scheduler alone
    comes_back: str = "idle"  # the state in which it hands the baton back
    place: str = ""  # where it handed the baton back
    wakes: float = 0.0
    is_dead: bool = False
    is_victim: bool = False
    commits: int = 0
    error: BaseException | None = None
    done: bool = False


class Crew:
    """`time` is moved by nobody but the scheduler. `say` writes the trace."""

    def __init__(self, size: int, time: Time) -> None:
        self.time = time
        self.dice = random.Random(0)
        self.rates = Rates(self.dice)
        self.say: Callable[[str], None] = lambda _: None
        self.after_commit: Callable[[str], None] = lambda _: None
        self.killed: list[str] = []
        self.waited = 0  # times that somebody waited for a lock
        self.actors = [Actor(number) for number in range(size)]
        self._back: queue.SimpleQueue[Actor] = queue.SimpleQueue()
        self._local = threading.local()
        self._threads = [threading.Thread(target=self._live, args=[actor], daemon=True) for actor in self.actors]

    # -- the scheduler's side ------------------------------------------------------------------------------------------
    def __enter__(self) -> Crew:
        for thread, actor in zip(self._threads, self.actors, strict=True):
            thread.start()
            self._wait_for(actor)  # it has its connection
        return self

    def __exit__(self, *_: object) -> None:
        for actor in self.actors:
            actor.done = True
            actor.turn.release()
        for thread in self._threads:
            thread.join(1.0)

    def start(self, actor: Actor, job: Job) -> None:
        actor.job = job
        actor.is_dead, actor.commits, actor.error = False, 0, None
        self.step(actor)

    def step(self, actor: Actor) -> None:
        """Let it go on until it comes back, or waits for another actor's lock."""
        actor.state = "running"
        actor.turn.release()
        self._wait_for(actor)
        for other in self.actors:
            if other.state == "blocked":
                self._look_at(other)

    def victimise(self, actor: Actor) -> None:
        """They wait for each other: PostgreSQL would choose one after a second, by the clock on the wall."""
        actor.is_victim = True
        _ask("SELECT pg_cancel_backend(%s)", actor.pid)
        self._look_at(actor)

    def _wait_for(self, actor: Actor) -> None:
        waited = 0.0
        while True:
            try:
                came = self._back.get(timeout=LOOK_SECONDS)
            except queue.Empty:
                waited += LOOK_SECONDS
                if self._is_blocked(actor):
                    actor.state, self.waited = "blocked", self.waited + 1
                    return
                if waited > PATIENCE_SECONDS:
                    raise Hung(f"{actor.job and actor.job.name} does not come back") from None
                continue
            assert came is actor or came.state == "blocked", "two run at once"
            came.state = came.comes_back
            if came is actor:
                return

    def _look_at(self, actor: Actor) -> None:
        """Somebody went on for whom it may have waited: either it has its lock, and comes back, or it waits on."""
        while actor.state == "blocked" and not self._is_blocked(actor):
            try:
                came = self._back.get(timeout=LOOK_SECONDS)
            except queue.Empty:
                continue
            assert came.state == "blocked", "two run at once"
            came.state = came.comes_back

    def holders(self) -> list[Actor] | None:
        """Who has what somebody waits for; None: nobody waits."""
        blocked = [actor.pid for actor in self.actors if actor.state == "blocked"]
        if not blocked:
            return None
        pids = {pid for waits in blocked for pid in _ask("SELECT pg_blocking_pids(%s)", waits)}
        return [actor for actor in self.actors if actor.pid in pids]

    def _is_blocked(self, actor: Actor) -> bool:
        others = [other.pid for other in self.actors if other is not actor]
        return bool(actor.pid and _ask("SELECT pg_blocking_pids(%s) && %s::int[]", actor.pid, others))

    # -- the actors' side ----------------------------------------------------------------------------------------------
    def _live(self, actor: Actor) -> None:
        self._local.actor = actor
        connection.ensure_connection()
        actor.pid = connection.connection.info.backend_pid
        while True:
            self._back.put(actor)
            actor.turn.acquire()
            if actor.done:
                break
            assert actor.job is not None
            try:
                actor.job.work()
                self.say(f"{actor.number} done")
            except Killed:
                self.say(f"{actor.number} dead")
            except BaseException as error:
                actor.error = error
                self.say(f"{actor.number} failed: {type(error).__name__}")
            connection.run_on_commit = []
            actor.comes_back = "idle"
        connection.close()

    def me(self) -> Actor | None:
        """None: this is the scheduler's thread, or the test's."""
        return getattr(self._local, "actor", None)

    def pause(self, kind: str, name: str) -> None:
        """A place where the baton may be handed on, or where this actor may die."""
        actor = self.me()
        if actor is None:
            return
        self.check_alive(actor)
        crash = self.rates.crash[kind] * SELDOM.get(name, 1)
        if crash and self.dice.random() < crash:
            self.killed.append(name)
            self.say(f"{actor.number} dies at {name}")
            self.die(actor)
        if self.rates.switch[kind] and self.dice.random() < self.rates.switch[kind]:
            self.say(f"{actor.number} at {name}")
            actor.place = name
            self._hand_back(actor, "ready")

    def sleep(self, seconds: float) -> None:
        """In the place of `time.sleep`: it is the clock's turn, and the others'."""
        actor = self.me()
        assert actor is not None, "the scheduler does not sleep"
        self.check_alive(actor)
        actor.wakes = self.time.monotonic() + seconds
        self._hand_back(actor, "asleep")

    def die(self, actor: Actor) -> None:
        actor.is_dead = True
        raise Killed

    def check_alive(self, actor: Actor) -> None:
        """What is dead asks nothing more, whatever its `finally` would have liked."""
        if actor.is_dead:
            raise Killed

    def _hand_back(self, actor: Actor, state: str) -> None:
        actor.comes_back = state
        self._back.put(actor)
        actor.turn.acquire()
        actor.place = ""
        if actor.done:  # the stage is being cleared
            self.die(actor)

    def executing(self, execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any) -> Any:
        """Around every statement of whatever connection."""
        actor = self.me()
        wrapper: BaseDatabaseWrapper = context["connection"]
        self.pause("statement", "statement")
        raw, is_whole = wrapper.connection, False
        if raw.info.transaction_status == TransactionStatus.IDLE:
            is_whole = raw.autocommit and isinstance(sql, str) and not many  # one message to PostgreSQL instead of two
            if is_whole:
                sql = self.time.beginning(raw) + sql
            else:
                self.time.begin(raw)
        try:
            result = execute(sql, params, many, context)
            if is_whole:
                context["cursor"].nextset()
            return result
        except OperationalError as error:
            if actor is not None and actor.is_victim:
                actor.is_victim = False
                raise OperationalError("they waited for each other") from psycopg.errors.DeadlockDetected(str(error))
            raise
        finally:
            if actor is not None and actor.state == "blocked":
                self._hand_back(actor, "ready")

    def now(self) -> datetime:
        """In the place of `clock.now`, which would ask PostgreSQL for what the scheduler told it."""
        self.pause("statement", "statement")
        connection.ensure_connection()
        return self.time.of(connection.connection)

    def committing(self, commit: Callable[[], None], wrapper: BaseDatabaseWrapper) -> None:
        """In the place of a connection's commit: a crash before it takes everything back, one behind it leaves what was
        to be told untold."""
        actor = self.me()
        if actor is None or wrapper.connection.info.transaction_status == TransactionStatus.IDLE:
            commit()
            return
        assert actor.job is not None
        try:
            self.pause("commit", "before a commit")
        except Killed:
            wrapper.connection.rollback()
            wrapper.run_on_commit = []
            raise
        is_waited_for = self._is_anybody_blocked()
        commit()
        actor.commits += 1
        if is_waited_for or actor.state == "blocked":
            self._hand_back(actor, "ready")
        self.after_commit(actor.job.name)
        try:
            self.pause("commit", "behind a commit")
        except Killed:
            wrapper.run_on_commit = []
            raise

    def rolling_back(self, rollback: Callable[[], None]) -> None:
        """In the place of a connection's rollback."""
        actor, is_waited_for = self.me(), self._is_anybody_blocked()
        rollback()
        if actor is not None and is_waited_for and not actor.is_dead:
            self._hand_back(actor, "ready")

    def _is_anybody_blocked(self) -> bool:
        """To be asked before locks are let go. Whoever waits for one then goes on at once, within PostgreSQL: until
        they stand still again, whoever held it does nothing, else the machine would decide who of them is first."""
        return any(other.state == "blocked" for other in self.actors)


def _ask(statement: str, *params: Any) -> Any:
    raw = connection.connection
    return raw.execute(statement, params).fetchone()[0]
