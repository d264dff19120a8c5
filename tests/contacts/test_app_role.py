"""The role that owns nothing (docs/guides/operators/deploy.md): the product's doors work under it, and PostgreSQL keeps
it from the audit log's past."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from io import StringIO

import psycopg
import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import ProgrammingError, connection, transaction

from contacts import app_role, clock, retention, seals, transactions
from contacts.guarded import guarded_path
from contacts.models import AuditEntry
from contacts.privacy import erasing
from delivery import suppression
from delivery.authoring import removal, templates
from scoring.lifecycle import current
from tests import journeys
from tests.contacts.merging.conftest import merge, person, undo
from tests.contacts.privacy import life
from tests.house.test_append_only import PROMISED
from workflows import publishing

PASSWORD = "a long password of a test"

pytestmark = pytest.mark.django_db(transaction=True)


def ask(statement: str) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


@pytest.fixture
def role(transactional_db, monkeypatch) -> Iterator[str]:
    """A name that no other test run has, and nothing of it afterwards: roles belong to the cluster."""
    name = f"app_{connection.settings_dict['NAME']}"
    monkeypatch.setenv("APP_PASSWORD", PASSWORD)
    yield name
    with connection.cursor() as cursor:
        cursor.execute("RESET ROLE")
        cursor.execute("SELECT count(*) FROM pg_roles WHERE rolname = %s", [name])
        if cursor.fetchone()[0]:
            cursor.execute(f'DROP OWNED BY "{name}"')
            cursor.execute(f'DROP ROLE "{name}"')


@pytest.fixture
def working(role) -> str:
    """From here on this connection works as the role."""
    call_command("create_app_role", role=role, stdout=StringIO())
    with connection.cursor() as cursor:
        cursor.execute(f'SET ROLE "{role}"')
    return role


def refused(statement: str) -> None:
    """Not by a trigger, but by the rights of the role; not even on the guarded path."""
    with (
        pytest.raises(ProgrammingError, match=r"permission denied|must be owner") as error,
        transaction.atomic(),
        guarded_path(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)
    assert transactions.sqlstate(error.value) == app_role.REFUSED


def test_the_audit_log_cannot_be_changed_by_it_on_any_path(working):
    User.objects.create_user("ada")
    with transaction.atomic():
        templates.save_version(slug="tour", name="Tour", subject="Hi", html="<p>Hi</p>", now=clock.now())
    transactions.run(lambda now: seals.seal_batch(now=now))
    assert AuditEntry.objects.exists()
    for table in app_role.KEPT:
        refused(f"UPDATE {table} SET id = id" if table != "audit_seals" else "UPDATE audit_seals SET position = 1")
        refused(f"DELETE FROM {table}")
    assert seals.verify().trouble == ""


def test_it_owns_nothing_and_cannot_switch_off_what_keeps_facts(working):
    for table in sorted(PROMISED):
        refused(f"TRUNCATE {table} CASCADE")
        refused(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
        refused(f"DROP TRIGGER {table}_is_append_only ON {table}")
    refused("SET session_replication_role = replica")
    refused("CREATE TABLE of_mine (n int)")
    refused("CREATE ROLE mine")


def test_the_doors_of_the_product_work_under_it(working):
    who = life.live()  # what a contact meets in the whole house: events, journeys, mails, reports, imports, scores
    assert len(life.mentions()) >= 20
    first, second = person(email="one@example.com"), person(email="two@example.com")
    undo(merge(first, second))
    merge(first, second)
    transactions.run(lambda now: erasing.erase(who, actor="test", now=now))
    assert life.mentions() == {}
    suppression.suppress(
        channel="email", address="no@example.com", scope="all", reason="manual", source="test", now=clock.now()
    )
    with transaction.atomic():
        templates.save_version(slug="tour", name="Tour", subject="Hi", html="<p>Hi</p>", now=clock.now())
    with transaction.atomic():
        removal.delete("tour")
        steps = {"wait": journeys.step("wait", {"next": None}, mode="duration", **{"for": "PT1H"})}
        journeys.publish(journeys.definition(steps))
        publishing.save_draft(definition=journeys.definition(steps, slug="never-live"), now=clock.now())
        publishing.discard(slug="never-live", now=clock.now())
        current.rebuild()
    while retention.tidy(now=clock.now()):
        pass
    transactions.run(lambda now: seals.seal_batch(now=now))
    assert seals.verify().trouble == ""
    assert ask("SELECT current_user") == [(working,)]


def test_what_is_too_old_waits_for_the_owner_and_holds_nothing_else_up(working, settings, caplog):
    settings.AUDIT_RETENTION, settings.EVENT_RETENTION = "P1D", "P1D"
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO audit_entries (actor_kind, actor, what, object_type, object_id, at)"
            " VALUES ('house', '', 'x.done', 'x', '1', now() - interval '3 days')"
        )
    with caplog.at_level(logging.WARNING):
        assert retention.tidy(now=clock.now()) is False
    assert "AUDIT_RETENTION" in caplog.text
    assert AuditEntry.objects.count() == 1
    with connection.cursor() as cursor:
        cursor.execute("RESET ROLE")
    retention.tidy(now=clock.now())
    assert not AuditEntry.objects.exists() and seals.verify().trouble == ""


def test_one_logs_in_as_it_and_works_with_tables_of_later_migrations(role):
    said = StringIO()
    call_command("create_app_role", role=role, stdout=said)
    assert "is made" in said.getvalue() and PASSWORD not in said.getvalue()
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE of_a_later_migration (id bigserial PRIMARY KEY, n int)")
        cursor.execute(f'GRANT UPDATE, DELETE, TRUNCATE ON audit_entries TO "{role}"')  # by hand, in haste
    try:
        call_command("create_app_role", role=role, stdout=said)
        assert "is up to date" in said.getvalue()
        given = connection.get_connection_params()
        with psycopg.connect(
            host=given.get("host"), port=given.get("port"), dbname=given["dbname"], user=role, password=PASSWORD
        ) as theirs:
            theirs.execute("INSERT INTO of_a_later_migration (n) VALUES (1)")
            theirs.execute("UPDATE of_a_later_migration SET n = 2")
            rights = theirs.execute(
                "SELECT right_, has_table_privilege('audit_entries', right_)"
                " FROM unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE}'::text[]) right_"
            ).fetchall()
        assert [name for name, has in rights if has] == ["SELECT", "INSERT"]
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE of_a_later_migration")


def test_a_short_password_a_superuser_and_the_owner_are_refused(role, monkeypatch):
    monkeypatch.setenv("APP_PASSWORD", "short")
    with pytest.raises(CommandError, match="12 characters"):
        call_command("create_app_role", role=role)
    monkeypatch.setenv("APP_PASSWORD", PASSWORD)
    (superuser,) = ask("SELECT rolname FROM pg_roles WHERE rolsuper LIMIT 1")[0]
    with pytest.raises(CommandError, match="superuser"):
        call_command("create_app_role", role=superuser)
    (owner,) = ask("SELECT current_user")[0]
    with connection.cursor() as cursor:
        cursor.execute(f'CREATE ROLE "{role}"')
        cursor.execute(f'GRANT "{owner}" TO "{role}"')
    with pytest.raises(CommandError, match="as their owner"):
        call_command("create_app_role", role=role)
