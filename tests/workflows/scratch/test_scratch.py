"""A scratch is a whole product beside the live one, and touches nothing of it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
import redis
from django.conf import settings
from django.db import ProgrammingError, connection

from contacts import clock, doorbell, outside, redis_index
from contacts.models import Contact
from delivery import transport
from tests import journeys
from workflows import scratch
from workflows.models import Workflow
from workflows.scratch import schemas

pytestmark = pytest.mark.django_db(transaction=True)
OWNER = settings.DATABASES["default"]["USER"]
THEN = datetime(2021, 3, 28, 0, 30, tzinfo=UTC)
STEPS = {
    "hello": journeys.step("send_email", {"next": "wait"}, template="hello"),
    "wait": journeys.step("wait", {"next": "tag"}, mode="duration", **{"for": "P2D"}),
    "tag": journeys.step("add_tag", tag="welcomed"),
}


def _sums() -> dict[str, tuple[int, int]]:
    """Rows and a checksum of every table of this schema."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT quote_ident(relname) FROM pg_class WHERE relnamespace = current_schema()::regnamespace"
            " AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY 1"
        )
        sums = {}
        for (table,) in cursor.fetchall():
            cursor.execute(f"SELECT count(*), COALESCE(sum(hashtext(t::text)::bigint), 0) FROM {table} t")
            sums[table] = cursor.fetchone()
    return sums


def _live_in(room: scratch.Scratch | None = None) -> int:
    """A whole little journey through the doors; returns the contact's id."""
    journeys.template("hello")
    journeys.publish(journeys.definition(STEPS))
    contact = journeys.contact("ada@example.com")
    journeys.track(contact.pk, "signed_up")
    return contact.pk


def test_no_live_row_is_touched() -> None:
    _live_in()
    journeys.run()
    before = _sums()
    with scratch.open_scratch(now=THEN) as room:
        _live_in()
        room.run_until(THEN + timedelta(days=3))
        assert room.ask("SELECT state FROM workflow_enrolments") == [("completed",)]
        assert room.ask("SELECT count(*) FROM sandbox_mails") == [(1,)]
    assert _sums() == before
    assert before["workflow_enrolments"][0] == before["sandbox_mails"][0] + 1 == 1


def test_a_live_table_is_out_of_reach() -> None:
    with scratch.open_scratch(now=THEN), connection.cursor() as cursor:
        cursor.execute("SELECT current_user, current_schemas(true)::text")
        user, path = cursor.fetchone()
        assert user == schemas.ROLE
        assert "public" not in path
        with pytest.raises(ProgrammingError, match="permission denied"):
            cursor.execute("SELECT count(*) FROM public.contacts")
        with pytest.raises(ProgrammingError, match="permission denied"):
            cursor.execute("UPDATE public.contacts SET email = ''")


def test_every_clock_tells_the_simulated_time() -> None:
    with scratch.open_scratch(now=THEN) as room:
        asked = "SELECT now(), clock_timestamp(), statement_timestamp(), transaction_timestamp()"
        assert room.ask(asked) == [(THEN,) * 4]
        room.set_clock(THEN + timedelta(hours=1))
        assert clock.now() == THEN + timedelta(hours=1)
        assert journeys.contact("default@example.com").created_at == THEN + timedelta(hours=1)
        with pytest.raises(ValueError, match="does not go back"):
            room.set_clock(THEN)


def test_a_lost_connection_comes_back_into_the_scratch_and_its_time() -> None:
    with scratch.open_scratch(now=THEN) as room:
        room.set_clock(THEN + timedelta(hours=1))
        connection.close()
        assert clock.now() == THEN + timedelta(hours=1)
        assert room.ask("SELECT starts_with(current_schema(), %s)", [schemas.PREFIX]) == [(True,)]
    assert room.ask("SELECT current_schema()") == [("public",)]
    assert clock.now() > datetime(2026, 1, 1, tzinfo=UTC)


def test_each_start_is_from_nothing_and_counts_from_one() -> None:
    with scratch.open_scratch(now=THEN) as room:
        for _ in range(2):
            room.start_over(THEN)
            assert set(_sums().values()) - {_sums()["django_migrations"]} == {(0, 0)}
            assert _live_in() == 1
            assert Workflow.objects.get().pk == 1
            room.run_until(THEN + timedelta(days=3))
            assert room.ask("SELECT id, state FROM workflow_enrolments") == [(1, "completed")]


def test_two_at_once_get_two_schemas() -> None:
    with scratch.open_scratch(now=THEN) as first:
        mine = first.ask("SELECT current_schema()")[0][0]
        with schemas.lend(lambda _: None) as other:
            assert other.name != mine
    with scratch.open_scratch(now=THEN) as again:
        assert again.ask("SELECT current_schema()") == [(mine,)]


def test_a_schema_of_older_tables_is_made_anew() -> None:
    said: list[str] = []
    with schemas.lend(said.append) as schema:
        said.clear()
        pool = schema.keeper.execute(
            "SELECT nspname FROM pg_namespace WHERE starts_with(nspname, %s)", [schemas.PREFIX]
        )
        for (name,) in pool.fetchall():
            schema.keeper.execute(f"COMMENT ON SCHEMA {name} IS 'of yesterday'")
            schema.keeper.execute(f"CREATE TABLE {name}.left_over ()")
    with scratch.open_scratch(now=THEN, say=said.append) as room:
        assert room.ask("SELECT to_regclass('left_over')") == [(None,)]
    assert said == ["preparing a scratch schema (once after each change of the tables)"]


def test_old_schemas_that_nobody_uses_go() -> None:
    with schemas.lend(lambda _: None) as schema:
        schema.keeper.execute(f"CREATE SCHEMA IF NOT EXISTS {schemas.PREFIX}{schemas.MOST}")
    with schemas.lend(lambda _: None) as schema:
        found = schema.keeper.execute("SELECT to_regnamespace(%s)", [f"{schemas.PREFIX}{schemas.MOST}"]).fetchone()
        assert found == (None,)


def test_nobody_outside_is_reached() -> None:
    with scratch.open_scratch(now=THEN) as room:
        assert settings.EMAIL_PROVIDER == "sandbox"
        with pytest.raises(redis.RedisError):
            redis_index.connection()
        with pytest.raises(outside.OutsideIsClosed), socket.socket() as plain:
            plain.connect(("127.0.0.1", 9))
        call = transport.post("http://127.0.0.1:9/", data=b"", headers={}, seconds=1)
        with pytest.raises(outside.OutsideIsClosed):
            transport.start(call)
        call.close()
        doorbell.ring("workflows.intake", "urgent")
        room.settle()
    redis_index.connection().ping()


@pytest.fixture
def locks() -> Iterator[None]:
    """Somebody of the live installation holds every shard of intake."""
    with psycopg.connect(**_parameters(), autocommit=True) as other:
        for shard in range(16):
            other.execute("SELECT pg_advisory_lock(7301, %s)", [shard])
        yield


def test_locks_of_the_live_installation_are_other_locks(locks: None) -> None:
    with scratch.open_scratch(now=THEN) as room:
        _live_in()
        room.settle()
        assert room.ask("SELECT state FROM workflow_enrolments") == [("waiting",)]


def test_rows_are_copied_as_they_stand_and_ids_go_on_behind_them() -> None:
    kept = journeys.contact("kept@example.com", attributes={"plan": "trial"})
    left = journeys.contact("left@example.com")
    with scratch.open_scratch(now=THEN) as room:
        assert room.copy("contacts", where="id <= %s", params=[kept.pk], columns=["id", "email", "attributes"]) == 1
        assert room.ask("SELECT id, email, attributes->>'plan', created_at FROM contacts") == [
            (kept.pk, kept.email, "trial", THEN)
        ]
        assert journeys.contact("new@example.com").pk == kept.pk + 1
        assert room.ask_live("SELECT count(*) FROM contacts") == [(2,)]
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            room.ask_live("DELETE FROM contacts RETURNING id")
        with pytest.raises(LookupError, match="no live table 'nothing'"):
            room.copy("nothing")
    assert Contact.objects.filter(pk__in=[kept.pk, left.pk]).count() == 2


def _parameters() -> dict[str, str]:
    given = connection.get_connection_params()
    return {name: given[name] for name in ("host", "port", "user", "dbname", "password") if name in given}


@pytest.fixture
def plain_role(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The application under a role that owns nothing and may make no roles; its password is that of the owner."""
    name = "carillon_plain_role_of_a_test"
    with connection.cursor() as cursor:
        cursor.execute(f"DROP ROLE IF EXISTS {name}")
        password = connection.settings_dict["PASSWORD"] or None
        cursor.execute(f"CREATE ROLE {name} LOGIN NOSUPERUSER NOCREATEROLE PASSWORD %s", [password])
    connection.close()
    monkeypatch.setitem(connection.settings_dict, "USER", name)
    yield name
    connection.close()
    monkeypatch.undo()
    with connection.cursor() as cursor:
        cursor.execute(f"DROP OWNED BY {name} CASCADE")
        cursor.execute(f"DROP ROLE {name}")


def test_without_the_right_to_make_schemas_there_is_none_and_it_says_so(plain_role: str) -> None:
    with pytest.raises(scratch.NoScratch, match="may not make schemas"), scratch.open_scratch(now=THEN):
        pass


def test_without_the_right_to_make_roles_the_search_path_alone_keeps_the_live_schema_out(plain_role: str) -> None:
    with psycopg.connect(**{**_parameters(), "user": OWNER}, autocommit=True) as owner:
        owner.execute(f"GRANT CREATE ON DATABASE {owner.info.dbname} TO {plain_role}")
        owner.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {plain_role}")
    with scratch.open_scratch(now=THEN) as room:
        assert room.ask("SELECT current_user, current_schemas(true)::text") == [
            (plain_role, f"{{{room.ask('SELECT current_schema()')[0][0]},pg_catalog}}")
        ]
        _live_in()
        room.settle()
        assert room.ask("SELECT state FROM workflow_enrolments") == [("waiting",)]
