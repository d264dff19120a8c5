"""The post office, complete: domains that warm up and brake, devices, seeds, tallies, templates with a source; and the
channel and class of a message in the outbox, so that one that waits is not looked at."""

import django.contrib.postgres.fields
import django.contrib.postgres.functions
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("delivery", "0006_staff_notices"),
    ]

    operations = [
        migrations.CreateModel(
            name="PostTally",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("day", models.DateField()),
                ("channel", models.TextField()),
                ("provider", models.TextField(db_default="", default="")),
                ("sending", models.TextField(db_default="", default="")),
                ("receiving", models.TextField(db_default="", default="")),
                ("message_class", models.TextField()),
                ("what", models.TextField()),
                ("reason", models.TextField(db_default="", default="")),
                ("n", models.BigIntegerField()),
                ("is_folded", models.BooleanField(db_default=False, default=False)),
            ],
            options={
                "db_table": "post_tallies",
            },
        ),
        migrations.CreateModel(
            name="PushDevice",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "public_id",
                    models.UUIDField(
                        db_default=django.contrib.postgres.functions.RandomUUID(), editable=False, unique=True
                    ),
                ),
                ("contact_id", models.BigIntegerField()),
                ("kind", models.TextField()),
                ("target", models.TextField()),
                ("keys", models.JSONField(db_default={}, default=dict)),
                ("agent", models.TextField(db_default="", default="")),
                ("created_at", models.DateTimeField()),
                ("seen_at", models.DateTimeField()),
                ("gone_at", models.DateTimeField(null=True)),
                ("gone_why", models.TextField(db_default="", default="")),
            ],
            options={
                "db_table": "push_devices",
            },
        ),
        migrations.CreateModel(
            name="SeedAddress",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("email", models.TextField(unique=True)),
                ("locale", models.TextField(blank=True, db_default="", default="")),
                ("note", models.TextField(blank=True, db_default="", default="")),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "verbose_name_plural": "seed addresses",
                "db_table": "seed_addresses",
            },
        ),
        migrations.CreateModel(
            name="SendingDay",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "domain", "day", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("domain", models.TextField()),
                ("day", models.DateField()),
                ("claimed", models.IntegerField(db_default=0, default=0)),
            ],
            options={
                "db_table": "sending_days",
            },
        ),
        migrations.CreateModel(
            name="SendingDomain",
            fields=[
                ("domain", models.TextField(primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField()),
                (
                    "warm_up_steps",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.IntegerField(), db_default=[], default=list, size=None
                    ),
                ),
                ("warm_up_step", models.SmallIntegerField(db_default=0, default=0)),
                ("warm_up_day", models.DateField(null=True)),
                ("warm_up_held", models.TextField(db_default="", default="")),
                ("warm_up_held_by", models.TextField(db_default="", default="")),
                ("braked_at", models.DateTimeField(null=True)),
                ("braked_why", models.JSONField(db_default={}, default=dict)),
                ("released_at", models.DateTimeField(null=True)),
                ("released_by", models.TextField(db_default="", default="")),
                ("checks", models.JSONField(db_default={}, default=dict)),
                ("checked_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "sending_domains",
            },
        ),
        migrations.CreateModel(
            name="SendingPulse",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("domain", models.TextField()),
                ("at", models.DateTimeField()),
                ("delivered", models.IntegerField(db_default=0, default=0)),
                ("hard_bounces", models.IntegerField(db_default=0, default=0)),
                ("complaints", models.IntegerField(db_default=0, default=0)),
                ("is_folded", models.BooleanField(db_default=False, default=False)),
            ],
            options={
                "db_table": "sending_pulses",
            },
        ),
        migrations.CreateModel(
            name="ParkedReport",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("mid", models.UUIDField()),
                ("report", models.JSONField()),
                ("provider", models.TextField()),
                ("dedup_hash", models.BinaryField()),
                ("parked_at", models.DateTimeField()),
            ],
            options={
                "db_table": "parked_reports",
                "indexes": [
                    models.Index(fields=["mid"], name="parked_of_a_message"),
                    models.Index(fields=["parked_at"], name="parked_oldest_first"),
                ],
                "constraints": [models.UniqueConstraint(fields=("dedup_hash",), name="one_parked_row_per_report")],
            },
        ),
        migrations.CreateModel(
            name="WebhookToken",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("provider", models.TextField()),
                ("token_hash", models.BinaryField()),
                ("content_hash", models.BinaryField()),
                ("used_at", models.DateTimeField()),
            ],
            options={
                "db_table": "webhook_tokens",
                "indexes": [models.Index(fields=["used_at"], name="webhook_tokens_oldest_first")],
                "constraints": [
                    models.UniqueConstraint(fields=("provider", "token_hash"), name="one_content_per_webhook_token")
                ],
            },
        ),
        migrations.AddField(
            model_name="outboxentry",
            name="channel",
            field=models.TextField(db_default="email", default="email"),
        ),
        migrations.AddField(
            model_name="outboxentry",
            name="is_paced",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name="outboxentry",
            name="message_class",
            field=models.TextField(db_default="marketing", default="marketing"),
        ),
        migrations.RunSQL(
            """
            UPDATE outbox o SET channel = m.channel, message_class = m.message_class FROM messages m
             WHERE m.id = o.message_id AND (m.channel <> 'email' OR m.message_class <> 'marketing')
            """,
            migrations.RunSQL.noop,
        ),
        migrations.AddField(
            model_name="provider",
            name="failures",
            field=models.SmallIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="provider",
            name="resting_until",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="staffnotice",
            name="asked_by_reader",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name="staffnotice",
            name="headers",
            field=models.JSONField(db_default={}, default=dict),
        ),
        migrations.AddField(
            model_name="staffnotice",
            name="html",
            field=models.TextField(db_default="", default=""),
        ),
        migrations.AddField(
            model_name="suppression",
            name="released_why",
            field=models.TextField(blank=True, db_default="", default=""),
        ),
        migrations.AddField(
            model_name="template",
            name="kind",
            field=models.TextField(db_default="message", default="message"),
        ),
        migrations.AddField(
            model_name="templateversion",
            name="locales",
            field=models.JSONField(db_default={}, default=dict),
        ),
        migrations.AddField(
            model_name="templateversion",
            name="options",
            field=models.JSONField(db_default={}, default=dict),
        ),
        migrations.AddField(
            model_name="templateversion",
            name="saved_by",
            field=models.TextField(db_default="", default=""),
        ),
        migrations.AddField(
            model_name="templateversion",
            name="source",
            field=models.JSONField(db_default={}, default=dict),
        ),
        migrations.AlterField(
            model_name="staffnotice",
            name="contact_id",
            field=models.BigIntegerField(null=True),
        ),
        migrations.AddConstraint(
            model_name="template",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ("message", "layout", "partial"))), name="template_kind_is_known"
            ),
        ),
        migrations.AddIndex(
            model_name="posttally",
            index=models.Index(fields=["day", "what"], name="tallies_of_a_day"),
        ),
        migrations.AddIndex(
            model_name="posttally",
            index=models.Index(condition=models.Q(("is_folded", False)), fields=["id"], name="tallies_to_fold"),
        ),
        migrations.AddConstraint(
            model_name="posttally",
            constraint=models.UniqueConstraint(
                condition=models.Q(("is_folded", True)),
                fields=("day", "channel", "provider", "sending", "receiving", "message_class", "what", "reason"),
                name="one_folded_tally_per_day_and_key",
            ),
        ),
        migrations.AddIndex(
            model_name="pushdevice",
            index=models.Index(
                condition=models.Q(("gone_at", None)), fields=["contact_id"], name="devices_of_a_contact"
            ),
        ),
        migrations.AddConstraint(
            model_name="pushdevice",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["webpush", "fcm"])), name="device_kind_is_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="pushdevice",
            constraint=models.UniqueConstraint(fields=("kind", "target"), name="one_row_per_device"),
        ),
        migrations.AddIndex(
            model_name="sendingpulse",
            index=models.Index(condition=models.Q(("is_folded", False)), fields=["id"], name="pulses_to_fold"),
        ),
        migrations.AddConstraint(
            model_name="sendingpulse",
            constraint=models.UniqueConstraint(
                condition=models.Q(("is_folded", True)),
                fields=("domain", "at"),
                name="one_folded_pulse_per_domain_and_minute",
            ),
        ),
        migrations.AddConstraint(
            model_name="sendingdomain",
            constraint=models.CheckConstraint(
                condition=models.Q(("warm_up_step__gte", 0)), name="warm_up_steps_count_from_0"
            ),
        ),
    ]
