"""A whole installation behind PgBouncer in transaction mode: fewer sessions than processes, and nobody notices."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from django.db import connection, transaction

from analytics.counting import books
from config.programs import Programs
from config.state import State
from contacts import access, clock
from contacts.models import ContactTag
from delivery.models import Message, OutboxEntry, SandboxMail
from tests import journeys
from tests.journeys import definition, step
from tests.stories.fleet import Installation
from tests.wire.pgbouncer import PGBOUNCER, Pooler, running_pgbouncer
from workflows.models import Enrolment

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(240),
    pytest.mark.skipif(not PGBOUNCER, reason="there is no PgBouncer here (Debian: apt-get install pgbouncer)"),
]

PEOPLE = 60
SESSIONS = 4  # for nine processes, most of which want more than one
LIMITS = {"lock_timeout": "3s", "statement_timeout": "15s", "idle_in_transaction_session_timeout": "30s"}
SAMPLE = "workflows/samples/first-order.yaml"


class Pooled(Installation):
    """All of its processes know of no other way to the database than the pooler."""

    def __init__(self, folder: Path, pooler: Pooler) -> None:
        super().__init__(folder, speed=86_400.0)
        self.environment["DATABASE_URL"] = pooler.url
        self._programs = Programs(State(folder), self.environment)


@pytest.fixture
def pooler() -> Iterator[Pooler]:
    with running_pgbouncer(first_port=26_000, default_pool_size=str(SESSIONS)) as pooler:
        yield pooler


def manage(pooler: Pooler, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *command],
        cwd=settings.BASE_DIR,
        env=os.environ | {"DATABASE_URL": pooler.url} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_journey_runs_to_its_end_on_fewer_sessions_than_there_are_processes(pooler, tmp_path):
    journeys.template("welcome")
    journeys.template("tour")
    journeys.publish(definition({
        "welcome": step("send_email", {"next": "pause"}, template="welcome"),
        "pause": step("wait", {"next": "tag"}, mode="duration", **{"for": "P8D"}),
        "tag": step("add_tag", {"next": "tour"}, tag="reached"),
        "tour": step("send_email", template="tour"),
    }))  # fmt: skip
    with transaction.atomic():
        key = access.create_key(name="pooled", kind="secret", scopes=["events:write"], now=clock.now())
    most_sessions = most_clients = 0

    def everybody_is_through() -> bool:
        nonlocal most_sessions, most_clients
        pool = pooler.pool()
        most_clients = max(
            most_clients, sum(int(pool[name]) for name in pool if re.match("cl_(active|waiting)$", name))
        )
        most_sessions = max(most_sessions, sum(int(n) for name, n in pool.items() if re.match("sv_[a-z]+$", name)))
        return Enrolment.objects.filter(state="completed").count() == PEOPLE and not OutboxEntry.objects.exists()

    with Pooled(tmp_path, pooler) as installation:
        events = [{"type": "signed_up", "contact": {"email": f"c{n}@example.com"}} for n in range(PEOPLE)]
        status, body, _ = installation.request(
            "POST",
            "/api/v1/events",
            json.dumps({"events": events}).encode(),
            Authorization=f"Bearer {key}",
            Content_Type="application/json",
        )
        assert status == 202, body
        installation.until(everybody_is_through, "everybody to come to the end")
        installation.until(lambda: all(book.balanced for book in books.balance()), "the books to balance")

    assert ContactTag.objects.count() == PEOPLE
    assert Message.objects.count() == 2 * PEOPLE
    mids = list(SandboxMail.objects.values_list("mid", flat=True))  # a few people unsubscribe, or bounce
    assert len(mids) == len(set(mids)) > PEOPLE, "a message was sent twice"
    assert most_sessions <= SESSIONS < most_clients


def test_the_time_limits_hold_behind_it(pooler):
    with psycopg.connect(pooler.url) as session:
        held = {name: session.execute(f"SHOW {name}").fetchone()[0] for name in LIMITS}
    assert held == LIMITS
    assert "W005" not in manage(pooler, "check", "--database", "default").stderr


def test_a_pooler_that_drops_them_is_found_out():
    with running_pgbouncer(first_port=26_000, without="connect_query") as careless:
        done = manage(careless, "check", "--database", "default")
        owner = manage(careless, "check", "--database", "default", DATABASE_OWNER_SESSION="true")
    assert "carillon.W005" in done.stderr and "lock_timeout, statement_timeout" in done.stderr
    assert "W005" not in owner.stderr, "migrations have none"


def test_what_needs_a_session_goes_past_it_or_says_so(pooler):
    refused = manage(pooler, "test_workflow", SAMPLE)
    assert refused.returncode == 2 and "DATABASE_DIRECT_URL" in refused.stderr, refused.stderr
    done = manage(pooler, "test_workflow", SAMPLE, DATABASE_DIRECT_URL=pooler.direct_url)
    assert done.returncode == 0, done.stdout + done.stderr


def test_migrations_go_past_it(pooler):
    """What is asked for as the owner has a session to itself, without the limits of everybody else."""
    ask = "from django.db import connection as c; k = c.cursor(); k.execute('SHOW statement_timeout'); "
    ask += "print(k.fetchone()[0], c.settings_dict['PORT'])"
    owner = {"DATABASE_DIRECT_URL": pooler.direct_url, "DATABASE_OWNER_SESSION": "true"}
    done = manage(pooler, "shell", "--no-imports", "-c", ask, **owner)
    assert done.stdout.split() == ["0", str(connection.settings_dict["PORT"])], done.stderr
