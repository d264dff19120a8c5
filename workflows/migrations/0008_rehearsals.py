"""Rehearsals that somebody asked for."""

import django.contrib.postgres.functions
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("workflows", "0007_facts_and_queues"),
    ]

    operations = [
        migrations.CreateModel(
            name="Rehearsal",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "public_id",
                    models.UUIDField(
                        db_default=django.contrib.postgres.functions.RandomUUID(), editable=False, unique=True
                    ),
                ),
                ("number", models.IntegerField(null=True)),
                ("since", models.DateTimeField()),
                ("until", models.DateTimeField()),
                ("asked", models.JSONField(db_default={}, default=dict)),
                ("state", models.TextField(db_default="queued", default="queued")),
                ("played_to", models.DateTimeField(null=True)),
                ("played", models.BigIntegerField(db_default=0, default=0)),
                ("expected", models.BigIntegerField(null=True)),
                ("report", models.JSONField(null=True)),
                ("error", models.TextField(db_default="", default="")),
                ("asked_by", models.TextField(db_default="", default="")),
                ("asked_at", models.DateTimeField()),
                ("started_at", models.DateTimeField(null=True)),
                ("beat_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                (
                    "workflow",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="workflows.workflow",
                    ),
                ),
            ],
            options={
                "db_table": "rehearsals",
                "indexes": [
                    models.Index(fields=["workflow", "-id"], name="rehearsals_of_a_workflow"),
                    models.Index(
                        condition=models.Q(("state__in", ["queued", "running", "stopping"])),
                        fields=["id"],
                        name="rehearsals_under_way",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state__in", ["queued", "running", "stopping", "done", "failed", "stopped"])
                        ),
                        name="rehearsal_state_is_known",
                    )
                ],
            },
        ),
    ]
