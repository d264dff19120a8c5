"""The claim looks channel by channel and class by class; what was reported of an address is found by it. Built beside
the traffic."""

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models
from django.db.models.fields.json import KT


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
        AddIndexConcurrently(
            "feedback",
            models.Index(
                KT("detail__address_id"),
                "kind",
                "occurred_at",
                condition=models.Q(kind__in=["soft_bounce", "unsubscribed", "resubscribed"]),
                name="feedback_of_an_address",
            ),
        ),
    ]
