"""The stages of those who have moved before there were triggers, and indexes by which the log is read by time, and a
contact's moves without a look at the rows. The stages are written page by page, each page by itself: whoever moves
meanwhile waits for one page at most, and a move that comes in between has the larger id, and stays."""

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models

PAGE = 5000  # contacts
SO_FAR = """
WITH page AS MATERIALIZED (
    SELECT DISTINCT contact_id FROM lifecycle_events WHERE contact_id > %(after)s ORDER BY contact_id LIMIT %(page)s),
written AS (
    INSERT INTO lifecycle_current AS known (contact_id, stage, since, event_id)
    SELECT DISTINCT ON (contact_id) contact_id, to_stage, occurred_at, id
      FROM lifecycle_events JOIN page USING (contact_id)
     WHERE NOT EXISTS (SELECT FROM contacts c WHERE c.id = contact_id AND c.erased_at IS NOT NULL)
     ORDER BY contact_id, id DESC
    ON CONFLICT (contact_id) DO UPDATE
       SET stage = EXCLUDED.stage, since = EXCLUDED.since, event_id = EXCLUDED.event_id
     WHERE known.event_id < EXCLUDED.event_id)
SELECT max(contact_id) FROM page
"""


def write_stages(apps, schema_editor) -> None:
    after = 0
    with schema_editor.connection.cursor() as cursor:
        while after is not None:
            cursor.execute(SO_FAR, {"after": after, "page": PAGE})
            (after,) = cursor.fetchone()


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("scoring", "0006_current_stages")]

    operations = [
        migrations.RunPython(write_stages, migrations.RunPython.noop),
        AddIndexConcurrently(
            model_name="lifecycleevent",
            index=models.Index(fields=["occurred_at"], name="lifecycle_moves_of_a_period"),
        ),
        AddIndexConcurrently(
            model_name="lifecycleevent",
            index=models.Index(
                fields=["contact_id", "-id"], include=["to_stage", "occurred_at"], name="moves_of_a_contact"
            ),
        ),
        RemoveIndexConcurrently(model_name="lifecycleevent", name="latest_stage_of_a_contact"),
    ]
