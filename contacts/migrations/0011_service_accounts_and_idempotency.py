"""Programs that own keys, keys that are exchanged with an overlap, and answers that are given again."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("contacts", "0010_roles_and_audit"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="apikey",
            name="former_hash",
            field=models.BinaryField(blank=True, null=True, unique=True),
        ),
        migrations.AddField(
            model_name="apikey",
            name="former_prefix",
            field=models.TextField(blank=True, null=True, unique=True),
        ),
        migrations.AddField(
            model_name="apikey",
            name="former_until",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="apikey",
            name="requests_per_minute",
            field=models.PositiveIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="apikey",
            name="rotated_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.CreateModel(
            name="IdempotentRequest",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", models.TextField()),
                ("route", models.TextField()),
                ("body_hash", models.BinaryField()),
                ("status", models.SmallIntegerField(null=True)),
                ("content_type", models.TextField(db_default="", default="")),
                ("answer", models.BinaryField(null=True)),
                ("made_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "api_key",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="contacts.apikey"
                    ),
                ),
            ],
            options={
                "db_table": "idempotent_requests",
            },
        ),
        migrations.CreateModel(
            name="ServiceAccount",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.TextField(unique=True)),
                ("description", models.TextField(blank=True, db_default="", default="")),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("disabled_at", models.DateTimeField(blank=True, null=True)),
                (
                    "owner",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "db_table": "service_accounts",
            },
        ),
        migrations.AddField(
            model_name="apikey",
            name="service_account",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="contacts.serviceaccount",
            ),
        ),
        migrations.AddConstraint(
            model_name="apikey",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("requests_per_minute__isnull", True), ("requests_per_minute__gt", 0), _connector="OR"
                ),
                name="api_key_allows_some_requests",
            ),
        ),
        migrations.AddConstraint(
            model_name="apikey",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("former_hash__isnull", True), ("former_prefix__isnull", True), ("former_until__isnull", True)
                    ),
                    models.Q(
                        ("former_hash__isnull", False),
                        ("former_prefix__isnull", False),
                        ("former_until__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="api_key_has_a_whole_former_secret_or_none",
            ),
        ),
        migrations.AddIndex(
            model_name="idempotentrequest",
            index=models.Index(fields=["made_at"], name="idempotent_requests_by_age"),
        ),
        migrations.AddConstraint(
            model_name="idempotentrequest",
            constraint=models.UniqueConstraint(
                fields=("api_key", "key"), name="a_key_of_the_api_says_an_idempotency_key_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="idempotentrequest",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("answer__isnull", True), ("status__isnull", True)),
                    models.Q(("answer__isnull", False), ("status__isnull", False)),
                    _connector="OR",
                ),
                name="idempotent_request_has_a_whole_answer_or_none",
            ),
        ),
        migrations.AddConstraint(
            model_name="idempotentrequest",
            constraint=models.CheckConstraint(
                condition=models.Q(("key", ""), _negated=True), name="idempotency_key_is_not_empty"
            ),
        ),
        migrations.AddConstraint(
            model_name="serviceaccount",
            constraint=models.CheckConstraint(
                condition=models.Q(("name", ""), _negated=True), name="service_account_has_a_name"
            ),
        ),
    ]
