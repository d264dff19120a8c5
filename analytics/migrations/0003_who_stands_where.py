"""Who stands where is counted from now on: what stood there before is taken from the rows. Parts by template and
variant begin with this migration; `rebuild_counters` counts those of before as well."""

from django.db import migrations

SEED = """
    INSERT INTO counters (workflow_id, version_id, step, metric, facet, day, amount)
    SELECT workflow_id, version_id, step, state, '', DATE '1970-01-01', count(*)
      FROM workflow_enrolments WHERE finished_at IS NULL GROUP BY 1, 2, 3, 4
"""


class Migration(migrations.Migration):
    dependencies = [
        ("analytics", "0002_observatory"),
        ("workflows", "0001_initial"),
    ]

    operations = [
        migrations.RunSQL(SEED, "DELETE FROM counters WHERE day = DATE '1970-01-01'"),
    ]
