"""Whoever follows an experiment reads its assignments in their order. Built beside the traffic."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("workflows", "0008_rehearsals")]

    operations = [
        AddIndexConcurrently(
            "experimentassignment",
            models.Index(fields=["experiment", "assigned_at"], name="assignments_in_their_order"),
        ),
    ]
