"""The days that a page asks for beside whole months are found by an index."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("analytics", "0004_months_and_days")]

    operations = [
        AddIndexConcurrently(
            model_name="counter",
            index=models.Index(fields=["workflow_id", "day"], name="counters_of_a_workflows_days"),
        ),
    ]
