"""Checks by lane, and up to whom the re-check after an activation has come."""

from django.db import migrations, models

HOT_TABLE = """
ALTER TABLE score_checks SET (
    fillfactor = 80,
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0
);
"""


class Migration(migrations.Migration):
    dependencies = [("scoring", "0002_facts")]

    operations = [
        migrations.RemoveIndex(model_name="scorecheck", name="score_checks_due"),
        migrations.AddField("ruleset", "activated_xid", models.BigIntegerField(editable=False, null=True)),
        migrations.AddField("ruleset", "recheck_after", models.BigIntegerField(editable=False, null=True)),
        migrations.AddField("scorecheck", "lane", models.TextField(db_default="urgent", default="urgent")),
        migrations.AddIndex("scorecheck", models.Index(fields=["lane", "check_at"], name="score_checks_due")),
        migrations.AddConstraint(
            "scorecheck",
            models.CheckConstraint(
                condition=models.Q(("lane__in", ["urgent", "bulk"])), name="score_check_lane_is_known"
            ),
        ),
        migrations.RunSQL(HOT_TABLE, migrations.RunSQL.noop),
    ]
