"""The claim looks for the best messages first, so its index has their order; an ended enrolment finds its messages."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("delivery", "0002_facts")]

    operations = [
        migrations.RemoveIndex(model_name="outboxentry", name="outbox_due"),
        migrations.AddIndex(
            model_name="outboxentry",
            index=models.Index(
                fields=["lane", "priority", "due_at", "message"],
                condition=models.Q(state="queued"),
                name="outbox_due",
            ),
        ),
        migrations.AddConstraint(
            model_name="message",
            constraint=models.CheckConstraint(
                condition=models.Q(priority__range=(1, 10)), name="message_priority_is_1_to_10"
            ),
        ),
        migrations.AddConstraint(
            model_name="message",
            constraint=models.CheckConstraint(
                condition=models.Q(lane__in=["urgent", "bulk"]), name="message_lane_is_known"
            ),
        ),
        migrations.AddIndex(
            model_name="message",
            index=models.Index(
                fields=["enrolment_id"],
                condition=models.Q(enrolment_id__isnull=False),
                name="messages_of_an_enrolment",
            ),
        ),
    ]
