"""Stages and crossings are facts."""

from django.db import migrations

FACTS = "\n".join(
    f"CREATE TRIGGER {table}_is_append_only BEFORE UPDATE OR DELETE ON {table} "
    f"FOR EACH ROW EXECUTE FUNCTION refuse_to_change_facts();"
    for table in ("lifecycle_events", "score_crossings")
)


class Migration(migrations.Migration):
    dependencies = [("scoring", "0001_initial"), ("contacts", "0002_event_log")]

    operations = [migrations.RunSQL(FACTS, migrations.RunSQL.noop)]
