"""The partitioned journal, immutable versions, and the care of the hot table."""

from django.db import migrations

JOURNAL = """
CREATE TABLE workflow_journal (
    enrolment_id bigint      NOT NULL,
    seq          integer     NOT NULL,
    contact_id   bigint      NOT NULL,
    version_id   bigint      NOT NULL,
    step         text        NOT NULL,
    step_type    text        NOT NULL,
    outcome      text        NOT NULL,
    port         text        NOT NULL DEFAULT '',
    detail       jsonb       NOT NULL DEFAULT '{}',
    at           timestamptz NOT NULL,
    CONSTRAINT no_step_twice PRIMARY KEY (enrolment_id, seq)
) PARTITION BY RANGE (enrolment_id);
CREATE TABLE workflow_journal_unplanned PARTITION OF workflow_journal DEFAULT;
CREATE TABLE workflow_journal_0 PARTITION OF workflow_journal FOR VALUES FROM (0) TO (10000000);
CREATE TABLE workflow_journal_1 PARTITION OF workflow_journal FOR VALUES FROM (10000000) TO (20000000);
"""

FACTS = """
CREATE TRIGGER workflow_journal_is_append_only BEFORE UPDATE OR DELETE ON workflow_journal
    FOR EACH ROW EXECUTE FUNCTION refuse_to_change_facts();
CREATE TRIGGER workflow_versions_is_append_only BEFORE UPDATE OR DELETE ON workflow_versions
    FOR EACH ROW EXECUTE FUNCTION refuse_to_change_facts();
CREATE TRIGGER entry_refusals_is_append_only BEFORE UPDATE OR DELETE ON entry_refusals
    FOR EACH ROW EXECUTE FUNCTION refuse_to_change_facts();
"""

HOT_TABLE = """
ALTER TABLE workflow_enrolments SET (
    fillfactor = 80,
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0
);
"""


class Migration(migrations.Migration):
    dependencies = [("workflows", "0001_initial"), ("contacts", "0002_event_log")]

    operations = [
        migrations.RunSQL(JOURNAL, "DROP TABLE workflow_journal"),
        migrations.RunSQL(FACTS, migrations.RunSQL.noop),
        migrations.RunSQL(HOT_TABLE, migrations.RunSQL.noop),
    ]
