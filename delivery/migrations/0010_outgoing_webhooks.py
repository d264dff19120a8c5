"""Servers of others that hear of events, and what was sent to each."""

import django.contrib.postgres.fields
import django.contrib.postgres.functions
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("delivery", "0009_attachments"),
    ]

    operations = [
        migrations.CreateModel(
            name="WebhookEndpoint",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "public_id",
                    models.UUIDField(
                        db_default=django.contrib.postgres.functions.RandomUUID(), editable=False, unique=True
                    ),
                ),
                ("url", models.TextField()),
                ("description", models.TextField(blank=True, db_default="", default="")),
                ("event_types", django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), size=None)),
                ("include_personal_data", models.BooleanField(db_default=False, default=False)),
                ("sealed_secret", models.TextField()),
                ("sealed_old_secret", models.TextField(blank=True, db_default="", default="")),
                ("old_secret_until", models.DateTimeField(blank=True, null=True)),
                ("state", models.TextField(db_default="enabled", default="enabled")),
                ("disabled_reason", models.TextField(blank=True, db_default="", default="")),
                ("disabled_at", models.DateTimeField(blank=True, null=True)),
                ("failing_since", models.DateTimeField(blank=True, null=True)),
                ("created_at", models.DateTimeField()),
                ("changed_at", models.DateTimeField()),
            ],
            options={
                "verbose_name": "outgoing webhook",
                "db_table": "webhook_endpoints",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ("enabled", "disabled", "removed"))),
                        name="endpoint_state_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("state", "enabled"), ("disabled_at__isnull", False), _connector="OR"),
                        name="who_hears_nothing_has_a_date",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="EndpointDelivery",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "public_id",
                    models.UUIDField(
                        db_default=django.contrib.postgres.functions.RandomUUID(), editable=False, unique=True
                    ),
                ),
                ("webhook_id", models.UUIDField()),
                ("event_id", models.BigIntegerField(null=True)),
                ("event_recorded_at", models.DateTimeField(null=True)),
                ("event_type", models.TextField()),
                ("contact_id", models.BigIntegerField(null=True)),
                ("is_replay", models.BooleanField(db_default=False, default=False)),
                ("state", models.TextField(db_default="queued", default="queued")),
                ("attempts", models.SmallIntegerField(db_default=0, default=0)),
                ("due_at", models.DateTimeField()),
                ("status", models.SmallIntegerField(null=True)),
                ("reason", models.TextField(db_default="", default="")),
                ("duration_ms", models.IntegerField(null=True)),
                ("created_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(null=True)),
                (
                    "endpoint",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="delivery.webhookendpoint",
                    ),
                ),
            ],
            options={
                "verbose_name": "delivery to a webhook",
                "verbose_name_plural": "deliveries to webhooks",
                "db_table": "webhook_deliveries",
                "indexes": [
                    models.Index(
                        condition=models.Q(("state__in", ("queued", "calling"))),
                        fields=["endpoint", "due_at", "id"],
                        name="deliveries_due",
                    ),
                    models.Index(fields=["endpoint", "-id"], name="deliveries_newest_first"),
                    models.Index(
                        condition=models.Q(("state", "failed")), fields=["endpoint", "-id"], name="deliveries_given_up"
                    ),
                    models.Index(
                        condition=models.Q(("is_replay", True)),
                        fields=["endpoint", "event_id"],
                        name="replays_of_an_event",
                    ),
                    models.Index(fields=["contact_id"], name="deliveries_about_a_contact"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("is_replay", False)),
                        fields=("endpoint", "event_id"),
                        name="an_event_is_queued_once_for_an_endpoint",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ("queued", "calling", "delivered", "failed"))),
                        name="delivery_state_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state__in", ("queued", "calling")), ("finished_at__isnull", False), _connector="OR"
                        ),
                        name="what_is_final_has_a_date",
                    ),
                ],
            },
        ),
    ]
