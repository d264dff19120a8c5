"""What stands still, and which database this is. Both tables are new and small."""

import django.db.models.functions.comparison
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("contacts", "0012_seals_of_the_audit_log")]

    operations = [
        migrations.CreateModel(
            name="Freeze",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("workflow_id", models.BigIntegerField(null=True)),
                ("kind", models.TextField()),
                ("reason", models.TextField()),
                ("began_at", models.DateTimeField()),
                ("began_by", models.TextField()),
                ("resumes", models.BooleanField(db_default=False, default=False)),
                ("snapshot_at", models.DateTimeField(null=True)),
                ("ended_at", models.DateTimeField(null=True)),
                ("ended_by", models.TextField(db_default="", default="")),
            ],
            options={
                "db_table": "freezes",
                "permissions": [("freeze_installation", "Can freeze and release everything, or a journey")],
                "constraints": [
                    models.UniqueConstraint(
                        django.db.models.functions.comparison.Coalesce("workflow_id", 0),
                        models.F("kind"),
                        condition=models.Q(("ended_at", None)),
                        name="one_freeze_of_a_kind_stands",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", ["by_hand", "restored"])), name="freeze_kind_is_known"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("kind", "restored"), _negated=True), ("workflow_id", None), _connector="OR"
                        ),
                        name="a_restored_copy_is_frozen_as_a_whole",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Installation",
            fields=[
                ("only", models.BooleanField(db_default=True, default=True, primary_key=True, serialize=False)),
                ("lineage", models.UUIDField()),
                ("system_identifier", models.TextField()),
                ("database_oid", models.BigIntegerField()),
                ("beat", models.BigIntegerField()),
                ("beaten_at", models.DateTimeField()),
            ],
            options={
                "db_table": "installation",
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("only", True)), name="there_is_one_installation")
                ],
            },
        ),
    ]
