"""Facts are never changed and never deleted: the database says no, whoever asks, in every table that promises it. What
erasure, merges and retention do goes over a guarded path, and is over when they are."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, connection, transaction

from contacts import clock, holdings
from contacts.guarded import guarded_path
from contacts.models import ContactEvent
from scoring.lifecycle import stages
from scoring.models import LifecycleEvent
from tests.inhabited import Inhabited, inhabit

PROMISED = {
    "contact_events", "contact_changes", "consent_records", "privacy_deeds", "workflow_journal", "workflow_versions",
    "entry_refusals", "experiment_assignments", "contact_send_log", "messages", "template_versions", "message_feedback",
    "lifecycle_events", "score_crossings", "audit_entries", "audit_seals",
}  # fmt: skip
# What nothing in an installation that is a few days old has written yet.
ROWS = {
    "privacy_deeds": (
        "INSERT INTO privacy_deeds (contact_id, deed, actor, at, counts) VALUES (1, 'export', 'maya', now(), '{}')"
    ),
    "audit_seals": (
        "INSERT INTO audit_seals (position, pruned_before, digest, sealed_at) VALUES (1, now(), '', now())"
    ),
    "score_crossings": (
        "INSERT INTO score_crossings (contact_id, score_name, threshold, seq, upward, score, ruleset_id, crossed_at)"
        " SELECT 1, 'lead', 60, 1, true, 61, min(id), now() FROM scoring_rulesets"
    ),
    "experiment_assignments": (
        "INSERT INTO experiment_assignments (experiment, contact_id, variant, bucket, enrolment_id, version_id, step,"
        " assigned_at) VALUES ('story', 1, 'offer', 1, 1, 1, 'split', now())"
    ),
}

pytestmark = pytest.mark.django_db


@pytest.fixture
def town() -> Inhabited:
    lived_in = inhabit(now=clock.now(), contacts=12)
    with connection.cursor() as cursor:
        for statement in ROWS.values():
            cursor.execute(statement)
    return lived_in


def guarded() -> dict[str, int]:
    """Table -> what its trigger is for, of every table that has one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, tgtype FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid"
            " WHERE tgname = relname || '_is_append_only' AND tgenabled = 'O'"
        )
        return dict(cursor.fetchall())


def refused(statement: str) -> None:
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def test_every_table_that_promises_it_is_guarded_against_update_and_delete():
    row_before_update_and_delete = 1 | 2 | 8 | 16
    assert guarded() == dict.fromkeys(PROMISED, row_before_update_and_delete)


def test_what_holds_a_persons_facts_is_guarded_as_it_is_declared():
    assert {each.table for each in holdings.all_holdings() if each.append_only} <= PROMISED


def test_no_row_of_any_of_them_can_be_changed_or_deleted_not_even_in_a_partition(town):
    for table in sorted(PROMISED):
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT tableoid::regclass::text FROM {table} LIMIT 1")
            row = cursor.fetchone()
            assert row is not None, f"nothing was written into {table}, so this would show nothing"
            cursor.execute(
                "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped"
                " AND attidentity = '' ORDER BY attnum DESC LIMIT 1",
                [table],
            )
            (column,) = cursor.fetchone()
        for place in {table, row[0]}:
            refused(f"UPDATE {place} SET {column} = {column}")
            refused(f"DELETE FROM {place}")


def test_the_models_can_do_no_more(town):
    for rows in (ContactEvent.objects.all(), LifecycleEvent.objects.all()):
        with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
            rows.delete()
        with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
            rows.update(contact_id=town.ana.pk)


def test_the_guarded_path_is_open_for_the_deed_and_closed_after_it(town):
    with transaction.atomic(), guarded_path(), connection.cursor() as cursor:
        cursor.execute("UPDATE lifecycle_events SET reason = '' WHERE contact_id = %s", [town.ana.pk])
    refused("UPDATE lifecycle_events SET reason = ''")


@pytest.mark.django_db(transaction=True)
def test_a_guarded_path_that_breaks_off_is_closed_too():
    contact_id = inhabit(now=clock.now(), contacts=12).ana.pk
    with transaction.atomic():
        stages.move(contact_ids=[contact_id], to_stage="churned", reason="left", source="api", now=clock.now())
    with pytest.raises(ZeroDivisionError), transaction.atomic(), guarded_path():
        raise ZeroDivisionError
    refused("DELETE FROM lifecycle_events")
    connection.close()
    refused("DELETE FROM lifecycle_events")
