"""Whom a webhook's body is about, so that erasure finds it. Bodies from before are found by reading them."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("delivery", "0003_claim_order")]

    operations = [
        migrations.AddField(
            model_name="webhookdelivery",
            name="message_ids",
            field=ArrayField(base_field=models.BigIntegerField(), db_default=[], default=list, size=None),
        ),
        migrations.AddField(
            model_name="webhookdelivery",
            name="names_others",
            field=models.BooleanField(db_default=True, default=True),
        ),
        migrations.AddIndex(
            model_name="webhookdelivery",
            index=GinIndex(fields=["message_ids"], name="webhook_bodies_of_messages"),
        ),
        migrations.AddIndex(
            model_name="webhookdelivery",
            index=models.Index(fields=["id"], condition=models.Q(names_others=True), name="webhook_bodies_of_others"),
        ),
    ]
