"""The lists of a journey's people, and of whom it did not let in, are read by index, newest first."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("workflows", "0010_draft_revisions")]

    operations = [
        AddIndexConcurrently(
            model_name="enrolment",
            index=models.Index(fields=["workflow", "-id"], name="enrolments_of_a_workflow"),
        ),
        AddIndexConcurrently(
            model_name="entryrefusal",
            index=models.Index(fields=["workflow_id", "-id"], name="refusals_of_a_workflow"),
        ),
    ]
