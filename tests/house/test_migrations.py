"""The schema and the models say the same, and facts cannot be changed."""

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction

APPEND_ONLY = [
    "contact_events", "contact_changes", "consent_records", "workflow_journal", "workflow_versions", "entry_refusals",
    "contact_send_log", "messages", "template_versions", "message_feedback", "lifecycle_events", "score_crossings",
]  # fmt: skip


@pytest.mark.django_db
def test_no_migration_is_missing():
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


@pytest.mark.django_db
@pytest.mark.parametrize("table", APPEND_ONLY)
def test_facts_have_a_trigger_that_refuses_update_and_delete(table):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgtype FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid WHERE relname = %s AND tgname = %s",
            [table, f"{table}_is_append_only"],
        )
        row = cursor.fetchone()
    row_before_update_and_delete = 1 | 2 | 8 | 16
    assert row is not None and row[0] == row_before_update_and_delete


@pytest.mark.django_db
def test_a_journal_row_can_be_neither_changed_nor_deleted():
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO workflow_journal (enrolment_id, seq, contact_id, version_id, step, step_type, outcome, at)"
            " VALUES (1, 1, 1, 1, 'a', 'exit', 'left', now())"
        )
        for statement in ("UPDATE workflow_journal SET step = 'b'", "DELETE FROM workflow_journal"):
            with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
                cursor.execute(statement)


@pytest.mark.django_db
def test_the_journal_takes_no_step_twice():
    insert = (
        "INSERT INTO workflow_journal (enrolment_id, seq, contact_id, version_id, step, step_type, outcome, at)"
        " VALUES (1, 1, 1, 1, 'a', 'exit', 'left', now())"
    )
    with connection.cursor() as cursor:
        cursor.execute(insert)
        with pytest.raises(IntegrityError, match="workflow_journal"), transaction.atomic():
            cursor.execute(insert)
