"""What the post office may never change; the care of its hot table; and the state of a message, read in one place."""

from django.db import migrations

FACTS = "\n".join(
    f"CREATE TRIGGER {table}_is_append_only BEFORE UPDATE OR DELETE ON {table} "
    f"FOR EACH ROW EXECUTE FUNCTION refuse_to_change_facts();"
    for table in ("contact_send_log", "messages", "template_versions", "message_feedback")
)

# The state of a message: its open side while there is one, else its last word in the log.
MESSAGE_STATES = """
CREATE VIEW message_states AS
SELECT m.id AS message_id,
       COALESCE(o.state, l.kind, 'queued') AS state,
       COALESCE(l.reason, '') AS reason,
       COALESCE(l.provider, '') AS provider,
       l.provider_code,
       COALESCE(l.provider_said, '') AS provider_said,
       COALESCE(l.at, m.created_at) AS changed_at
  FROM messages m
  LEFT JOIN outbox o ON o.message_id = m.id
  LEFT JOIN LATERAL (
       SELECT kind, reason, provider, provider_code, provider_said, at
         FROM contact_send_log WHERE message_id = m.id ORDER BY id DESC LIMIT 1) l ON true
"""

HOT_TABLE = """
ALTER TABLE outbox SET (
    fillfactor = 70,
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0
);
"""


class Migration(migrations.Migration):
    dependencies = [("delivery", "0001_initial"), ("contacts", "0002_event_log")]

    operations = [
        migrations.RunSQL(FACTS, migrations.RunSQL.noop),
        migrations.RunSQL(MESSAGE_STATES, "DROP VIEW message_states"),
        migrations.RunSQL(HOT_TABLE, migrations.RunSQL.noop),
    ]
