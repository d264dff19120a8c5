"""The workflows that were published before say what they wait for, as publishing does from now on."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("workflows", "0003_hot_updates"), ("contacts", "0007_awaited_events")]

    operations = [
        migrations.RunSQL(
            """
            INSERT INTO awaited_events (owner, event_type)
            SELECT 'workflow:' || w.id, t.event_type
              FROM workflow_triggers t JOIN workflows w ON w.id = t.workflow_id
             WHERE w.status IN ('live', 'paused')
            ON CONFLICT DO NOTHING
            """,
            "DELETE FROM awaited_events WHERE owner LIKE 'workflow:%'",
        )
    ]
