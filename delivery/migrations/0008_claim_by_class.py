"""The claim looks channel by channel and class by class. Built beside the traffic."""

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("delivery", "0007_post_office")]

    operations = [
        AddIndexConcurrently(
            "outboxentry",
            models.Index(
                condition=models.Q(("state", "queued")),
                fields=["lane", "channel", "message_class", "priority", "due_at", "message"],
                name="outbox_due_by_class",
            ),
        ),
        RemoveIndexConcurrently("outboxentry", "outbox_due"),
    ]
