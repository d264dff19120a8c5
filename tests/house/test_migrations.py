"""The schema and the models say the same, and the journal takes no step twice."""

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction


@pytest.mark.django_db
def test_no_migration_is_missing():
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


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
