"""Counters of a month, and of a day in all steps: folded from now on, and made of the counters that are there. Folding
waits until that is done (seconds); work and reading do not. A folder of the version before writes neither: stop the
workers before this migration, or run `rebuild_counters` after it."""

from django.db import migrations, models

FILL = """
    LOCK TABLE counters IN SHARE ROW EXCLUSIVE MODE;
    INSERT INTO counter_months (workflow_id, version_id, step, metric, facet, month, amount)
    SELECT workflow_id, version_id, step, metric, facet, date_trunc('month', day::timestamp)::date, sum(amount)
      FROM counters GROUP BY 1, 2, 3, 4, 5, 6;
    INSERT INTO counter_days (workflow_id, day, version_id, metric, amount)
    SELECT workflow_id, day, version_id, split_part(metric, ':', 1), sum(amount) FROM counters
     WHERE facet = '' AND day <> DATE '1970-01-01' AND (step = '' OR metric IN
           ('accepted', 'rejected', 'undetermined', 'replayed', 'delivered', 'opened', 'clicked'))
     GROUP BY 1, 2, 3, 4;
"""


class Migration(migrations.Migration):
    dependencies = [("analytics", "0003_who_stands_where")]

    operations = [
        migrations.CreateModel(
            name="CounterMonth",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("workflow_id", models.BigIntegerField()),
                ("version_id", models.BigIntegerField()),
                ("step", models.TextField()),
                ("metric", models.TextField()),
                ("facet", models.TextField(db_default="", default="")),
                ("month", models.DateField()),
                ("amount", models.BigIntegerField()),
            ],
            options={
                "db_table": "counter_months",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("workflow_id", "version_id", "step", "metric", "facet", "month"),
                        name="one_counter_per_step_metric_facet_and_month",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="CounterDay",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("workflow_id", models.BigIntegerField()),
                ("day", models.DateField()),
                ("version_id", models.BigIntegerField()),
                ("metric", models.TextField()),
                ("amount", models.BigIntegerField()),
            ],
            options={
                "db_table": "counter_days",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("workflow_id", "day", "version_id", "metric"),
                        name="one_counter_per_workflow_day_and_metric",
                    )
                ],
            },
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
    ]
