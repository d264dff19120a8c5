"""The engine's claim passes held enrolments over. New indexes are built beside the work; old ones go last."""

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("workflows", "0005_engine_complete")]

    operations = [
        RemoveIndexConcurrently(
            model_name="enrolment",
            name="enrolments_to_admit",
        ),
        AddIndexConcurrently(
            model_name="enrolment",
            index=models.Index(
                condition=models.Q(("held", False), ("state__in", ["active", "waiting"])),
                fields=["lane", "wake_at"],
                name="enrolments_to_advance",
            ),
        ),
        AddIndexConcurrently(
            model_name="enrolment",
            index=models.Index(
                condition=models.Q(("state", "pending")),
                fields=["workflow", "-lane", "version", "id"],
                name="enrolments_to_admit",
            ),
        ),
        AddIndexConcurrently(
            model_name="enrolment",
            index=models.Index(
                condition=models.Q(("capped", True), ("held", True), ("state", "waiting")),
                fields=["workflow", "-lane", "wake_at"],
                name="enrolments_held",
            ),
        ),
        AddIndexConcurrently(
            model_name="enrolment",
            index=models.Index(
                condition=models.Q(("held", True), models.Q(("capped", False), ("state", "active"), _connector="OR")),
                fields=["workflow", "lane", "wake_at"],
                name="enrolments_parked",
            ),
        ),
        AddIndexConcurrently(
            model_name="enrolment",
            index=models.Index(
                condition=models.Q(("capped", True), ("state", "active")), fields=["workflow"], name="places_taken"
            ),
        ),
        RemoveIndexConcurrently(
            model_name="enrolment",
            name="enrolments_due",
        ),
    ]
