"""The guide "Back up and restore" (docs/guides/operators/backup.md), with its own commands: a backup is made, the
installation runs on and sends, the backup is restored and started; nothing is sent until it is released, and then each
message once."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings as product
from django.db import connection, transaction

from config import postgres
from contacts import access, clock, restored
from delivery.models import OutboxEntry, SandboxMail
from tests import journeys
from tests.docs import blocks
from tests.journeys import definition, step
from tests.stories.fleet import Installation

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(600), pytest.mark.slow]

PAGE = Path(product.BASE_DIR) / "docs" / "guides" / "operators" / "backup.md"
BACK_UP, RESTORE, PREPARE, FROZEN, RELEASE = (
    block.body for block in blocks.blocks_of(PAGE) if block.options.get("runby") == "tests/stories/test_backup.py"
)
PEOPLE = 6


class Copy:
    """The restored database, read from outside."""

    def __init__(self, name: str, url: str) -> None:
        self.name, self.url = name, url

    def number(self, query: str) -> Any:
        with psycopg.connect(self.url) as link:
            row = link.execute(query).fetchone()
        assert row is not None
        return row[0]

    def mids(self) -> list[str]:
        with psycopg.connect(self.url) as link:
            return [str(mid) for (mid,) in link.execute("SELECT mid FROM sandbox_mails").fetchall()]


@pytest.fixture
def copy() -> Iterator[Copy]:
    own = connection.settings_dict
    name = f"{own['NAME']}_restored"
    drop = f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'
    with connection.cursor() as cursor:
        cursor.execute(drop)
    yield Copy(name, f"postgres://{own['USER']}:{own['PASSWORD']}@{own['HOST']}:{own['PORT']}/{name}")
    with connection.cursor() as cursor:
        cursor.execute(drop)


def shell(commands: str, environment: dict[str, str]) -> str:
    """What the guide shows, as it stands there."""
    path = f"{postgres.find_binaries()}:{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-euc", commands],
        cwd=product.BASE_DIR,
        env=environment | {"PATH": path},
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_restored_backup_sends_nothing_until_it_is_released_and_then_each_message_once(tmp_path, copy, settings):
    settings.BEAT_MEMORY_DIR = str(tmp_path / "beats")
    with transaction.atomic():
        key = access.create_key(name="story", kind="secret", scopes=["events:write"], now=clock.now())
    journeys.template("welcome")
    journeys.publish(definition({"hello": step("send_email", template="welcome")}))
    journeys.track(journeys.contacts(PEOPLE), "signed_up")
    journeys.run()
    restored.beat()  # as whoever was at work did
    assert OutboxEntry.objects.count() == PEOPLE

    original = Installation(tmp_path, speed=1)
    environment = original.environment | {"BACKUPS": str(tmp_path), "RESTORED_URL": copy.url}
    shell(BACK_UP, environment)
    with original:
        original.until(lambda: SandboxMail.objects.count() == PEOPLE, "all mails to go out")
    shell(RESTORE, environment)

    again = Installation(tmp_path / "again", speed=1, database=copy.name)
    environment = again.environment
    shell(PREPARE, environment | {"DATABASE_OWNER_SESSION": "1"})
    said = shell(FROZEN, environment)
    assert "Everything is frozen" in said and f"{PEOPLE} messages to be sent" in said and "@example.com" not in said
    beat = copy.number("SELECT beat FROM installation")
    with again:
        event = {"event_id": "late", "type": "signed_up", "contact": {"email": "late@example.com"}}
        status, body, _ = again.request(
            "POST",
            "/api/v1/events",
            json.dumps({"events": [event]}).encode(),
            Authorization=f"Bearer {key}",
            Content_Type="application/json",
        )
        assert status == 202, body
        taken = copy.number("SELECT max(recorded_at)::text FROM pending_events")
        # the dispatcher beats every ten seconds, and sweeps ten times between two beats
        later = f"SELECT count(*) FROM installation WHERE beaten_at > timestamptz '{taken}' + interval '11 seconds'"
        again.until(lambda: copy.number(later) == 1, "the dispatcher to sweep and sweep")
        assert copy.number("SELECT beat FROM installation") > beat
        assert copy.number("SELECT count(*) FROM sandbox_mails") == 0
        assert copy.number("SELECT count(*) FROM outbox WHERE state = 'queued'") == PEOPLE
        assert copy.number("SELECT count(*) FROM pending_events") >= 1
        assert "6 messages to be sent: would be dropped." in (said := shell(RELEASE, environment)), said
        again.until(lambda: copy.number("SELECT count(*) FROM sandbox_mails") == PEOPLE + 1, "all mails to go out")
        again.until(lambda: copy.number("SELECT count(*) FROM outbox") == 0, "every message to be over")
    mids = copy.mids()
    assert len(set(mids)) == len(mids) == PEOPLE + 1
    assert {str(mid) for mid in SandboxMail.objects.values_list("mid", flat=True)} < set(mids)
