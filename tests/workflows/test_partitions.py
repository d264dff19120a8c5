"""Journal partitions are there before they are needed."""

import pytest
from django.db import connection

from workflows import partitions

pytestmark = pytest.mark.django_db


def test_partitions_are_made_ahead_of_the_newest_enrolment_once():
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO workflow_journal (enrolment_id, seq, contact_id, version_id, step, step_type, outcome, at)"
            " VALUES (5, 1, 1, 1, 'a', 'exit', 'left', now()) RETURNING tableoid::regclass::text"
        )
        assert cursor.fetchone()[0] == "workflow_journal_0"
        cursor.execute("DROP TABLE IF EXISTS workflow_journal_2")  # a beat of an earlier story may have made it
    assert partitions.make_ahead() == ["workflow_journal_2"]
    assert partitions.make_ahead() == []
