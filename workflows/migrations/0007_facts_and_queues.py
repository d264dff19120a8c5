"""Assignments are facts; queues are small and always changing."""

from django.db import migrations

FACTS = """
CREATE TRIGGER experiment_assignments_is_append_only BEFORE UPDATE OR DELETE ON experiment_assignments
    FOR EACH ROW EXECUTE FUNCTION refuse_to_change_facts();
"""
QUEUES = """
ALTER TABLE watch_checks SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000,
                              autovacuum_vacuum_cost_delay = 0);
ALTER TABLE entry_requests SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000,
                                autovacuum_vacuum_cost_delay = 0);
ALTER TABLE entry_tallies SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000,
                               autovacuum_vacuum_cost_delay = 0);
ALTER TABLE webhook_calls SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02,
                               autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
"""


class Migration(migrations.Migration):
    dependencies = [("workflows", "0006_held_enrolments")]

    operations = [
        migrations.RunSQL(FACTS, migrations.RunSQL.noop),
        migrations.RunSQL(QUEUES, migrations.RunSQL.noop),
    ]
