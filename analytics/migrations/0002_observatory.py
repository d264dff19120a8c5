"""Alerts, delays, experiments, the warehouse, reports by mail; counters by template and variant."""

import django.contrib.postgres.functions
import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("analytics", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="Alert",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("source", models.TextField()),
                ("key", models.TextField()),
                ("severity", models.TextField()),
                ("title", models.TextField()),
                ("said", models.TextField()),
                ("page", models.TextField(blank=True, db_default="", default="")),
                ("began_at", models.DateTimeField()),
                ("opened_at", models.DateTimeField(blank=True, null=True)),
                ("seen_at", models.DateTimeField()),
                ("gone_since", models.DateTimeField(blank=True, null=True)),
                ("closed_at", models.DateTimeField(blank=True, null=True)),
                ("told_at", models.DateTimeField(blank=True, null=True)),
                ("tellings", models.IntegerField(db_default=0, default=0)),
                ("end_told_at", models.DateTimeField(blank=True, null=True)),
                ("silenced_until", models.DateTimeField(blank=True, null=True)),
                ("silenced_at", models.DateTimeField(blank=True, null=True)),
                ("silenced_by", models.TextField(blank=True, db_default="", default="")),
            ],
            options={
                "db_table": "alerts",
            },
        ),
        migrations.CreateModel(
            name="AlertCall",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "public_id",
                    models.UUIDField(
                        db_default=django.contrib.postgres.functions.RandomUUID(), editable=False, unique=True
                    ),
                ),
                ("number", models.IntegerField()),
                ("body", models.TextField()),
                ("state", models.TextField(db_default="queued", default="queued")),
                ("attempts", models.IntegerField(db_default=0, default=0)),
                ("due_at", models.DateTimeField()),
                ("status", models.IntegerField(null=True)),
                ("reason", models.TextField(db_default="", default="")),
                ("created_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(null=True)),
                (
                    "alert",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="calls", to="analytics.alert"
                    ),
                ),
            ],
            options={
                "db_table": "alert_calls",
            },
        ),
        migrations.CreateModel(
            name="AlertWatch",
            fields=[
                ("name", models.TextField(primary_key=True, serialize=False)),
                ("looked_at", models.DateTimeField(null=True)),
                ("settled_at", models.DateTimeField(null=True)),
                ("failing_since", models.DateTimeField(null=True)),
                ("problem", models.TextField(db_default="", default="")),
            ],
            options={
                "db_table": "alert_watches",
            },
        ),
        migrations.CreateModel(
            name="Experiment",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("slug", models.TextField(unique=True)),
                ("workflow_id", models.BigIntegerField()),
                ("title", models.TextField(blank=True, db_default="", default="")),
                ("hypothesis", models.TextField(blank=True, db_default="", default="")),
                ("goal", models.JSONField(blank=True, null=True)),
                ("window", models.TextField(db_default="P7D", default="P7D")),
                ("base", models.TextField(blank=True, db_default="", default="")),
                ("method", models.TextField(db_default="always_valid", default="always_valid")),
                ("alpha", models.FloatField(db_default=0.05, default=0.05)),
                ("power", models.FloatField(db_default=0.8, default=0.8)),
                ("effect", models.FloatField(db_default=0.2, default=0.2)),
                ("rate", models.FloatField(blank=True, null=True)),
                ("guardrails", models.JSONField(blank=True, db_default=[], default=list)),
                ("state", models.TextField(db_default="running", default="running")),
                ("decision", models.TextField(blank=True, db_default="", default="")),
                ("reason", models.TextField(blank=True, db_default="", default="")),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("decided_at", models.DateTimeField(blank=True, null=True)),
                ("decided_by", models.TextField(blank=True, db_default="", default="")),
                ("looked_at", models.DateTimeField(blank=True, null=True)),
                ("rolled_out_in", models.IntegerField(blank=True, null=True)),
                ("followed_until", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "db_table": "experiments",
            },
        ),
        migrations.CreateModel(
            name="ExperimentOutcome",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("contact_id", models.BigIntegerField()),
                ("variant", models.TextField()),
                ("version_id", models.BigIntegerField()),
                ("assigned_at", models.DateTimeField()),
                ("matures_at", models.DateTimeField()),
                ("converted_at", models.DateTimeField(null=True)),
                ("harmed", models.IntegerField(db_default=0, default=0)),
                ("settled", models.BooleanField(db_default=False, default=False)),
            ],
            options={
                "db_table": "experiment_outcomes",
            },
        ),
        migrations.CreateModel(
            name="FactCursor",
            fields=[
                ("name", models.TextField(primary_key=True, serialize=False)),
                ("up_to", models.BigIntegerField(db_default=0, default=0)),
            ],
            options={
                "db_table": "fact_cursors",
            },
        ),
        migrations.CreateModel(
            name="ProviderAnswer",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("day", models.DateField()),
                ("provider", models.TextField()),
                ("outcome", models.TextField()),
                ("code", models.TextField()),
                ("amount", models.BigIntegerField()),
            ],
            options={
                "db_table": "provider_answers",
            },
        ),
        migrations.CreateModel(
            name="CounterCheck",
            fields=[
                ("workflow_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("checked_at", models.DateTimeField()),
                ("took_ms", models.IntegerField()),
                ("differences", models.JSONField(db_default=[], default=list)),
                ("wrong", models.IntegerField(db_default=0, default=0)),
                ("books", models.JSONField(db_default=[], default=list)),
            ],
            options={
                "db_table": "counter_checks",
                "indexes": [models.Index(fields=["checked_at"], name="counters_to_check")],
            },
        ),
        migrations.CreateModel(
            name="Latency",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.TextField()),
                ("lane", models.TextField()),
                ("up_to_ms", models.IntegerField()),
                ("count", models.BigIntegerField()),
                ("sum_ms", models.BigIntegerField()),
                ("day", models.DateField()),
            ],
            options={
                "db_table": "latencies",
            },
        ),
        migrations.CreateModel(
            name="LatencyDelta",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.TextField()),
                ("lane", models.TextField()),
                ("up_to_ms", models.IntegerField()),
                ("count", models.BigIntegerField()),
                ("sum_ms", models.BigIntegerField()),
                ("day", models.DateField()),
            ],
            options={
                "db_table": "latency_deltas",
            },
        ),
        migrations.CreateModel(
            name="ReportSubscription",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "public_id",
                    models.UUIDField(
                        db_default=django.contrib.postgres.functions.RandomUUID(), editable=False, unique=True
                    ),
                ),
                ("report", models.TextField()),
                ("filters", models.JSONField(blank=True, db_default={}, default=dict)),
                ("email", models.TextField()),
                ("every", models.TextField()),
                ("on_day", models.SmallIntegerField(db_default=1, default=1)),
                ("at_hour", models.SmallIntegerField(db_default=8, default=8)),
                ("timezone", models.TextField(db_default="UTC", default="UTC")),
                ("next_at", models.DateTimeField()),
                ("try_at", models.DateTimeField()),
                ("attempts", models.SmallIntegerField(db_default=0, default=0)),
                ("problem", models.TextField(blank=True, db_default="", default="")),
                ("failed_at", models.DateTimeField(blank=True, null=True)),
                ("last_sent_at", models.DateTimeField(blank=True, null=True)),
                ("last_notice", models.TextField(blank=True, db_default="", default="")),
                ("is_active", models.BooleanField(db_default=True, default=True)),
                ("stopped_because", models.TextField(blank=True, db_default="", default="")),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("created_by", models.TextField(blank=True, db_default="", default="")),
            ],
            options={
                "db_table": "report_subscriptions",
            },
        ),
        migrations.CreateModel(
            name="WarehouseRun",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.TextField()),
                ("night", models.DateField(blank=True, null=True)),
                ("state", models.TextField(db_default="queued", default="queued")),
                ("requested_at", models.DateTimeField()),
                ("requested_by", models.TextField(blank=True, db_default="", default="")),
                ("started_at", models.DateTimeField(blank=True, null=True)),
                ("alive_at", models.DateTimeField(blank=True, null=True)),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                ("attempts", models.SmallIntegerField(db_default=0, default=0)),
                ("models_total", models.IntegerField(db_default=0, default=0)),
                ("models_done", models.IntegerField(db_default=0, default=0)),
                ("said", models.TextField(blank=True, db_default="", default="")),
                ("problem", models.TextField(blank=True, db_default="", default="")),
                ("results", models.JSONField(blank=True, db_default=[], default=list)),
                ("rules", models.TextField(blank=True, db_default="", default="")),
            ],
            options={
                "db_table": "warehouse_runs",
            },
        ),
        migrations.RemoveConstraint(
            model_name="counter",
            name="one_counter_per_step_metric_and_day",
        ),
        migrations.AddField(
            model_name="counter",
            name="facet",
            field=models.TextField(db_default="", default=""),
        ),
        migrations.AddField(
            model_name="counterdelta",
            name="facet",
            field=models.TextField(db_default="", default=""),
        ),
        migrations.AddConstraint(
            model_name="counter",
            constraint=models.UniqueConstraint(
                fields=("workflow_id", "version_id", "step", "metric", "facet", "day"),
                name="one_counter_per_step_metric_facet_and_day",
            ),
        ),
        migrations.AddIndex(
            model_name="counter",
            index=models.Index(condition=models.Q(("facet", "")), fields=["day"], name="counters_of_a_day"),
        ),
        migrations.AddConstraint(
            model_name="provideranswer",
            constraint=models.UniqueConstraint(
                fields=("day", "provider", "outcome", "code"), name="one_count_per_provider_answer_and_day"
            ),
        ),
        migrations.AddIndex(
            model_name="alert",
            index=models.Index(
                condition=models.Q(("closed_at__isnull", True)), fields=["source"], name="alerts_not_over"
            ),
        ),
        migrations.AddIndex(
            model_name="alert",
            index=models.Index(
                condition=models.Q(("closed_at__isnull", False)), fields=["closed_at"], name="alerts_that_are_over"
            ),
        ),
        migrations.AddIndex(
            model_name="alert",
            index=models.Index(fields=["key", "id"], name="alerts_of_a_key"),
        ),
        migrations.AddIndex(
            model_name="alertcall",
            index=models.Index(
                condition=models.Q(("state__in", ["queued", "calling"])), fields=["due_at"], name="alert_calls_due"
            ),
        ),
        migrations.AddConstraint(
            model_name="alertcall",
            constraint=models.UniqueConstraint(fields=("alert", "number"), name="one_call_per_telling"),
        ),
        migrations.AddConstraint(
            model_name="alertcall",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["queued", "calling", "answered", "failed"])),
                name="alert_call_state_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="alert",
            constraint=models.CheckConstraint(
                condition=models.Q(("closed_at__isnull", True), ("opened_at__isnull", False), _connector="OR"),
                name="closed_alerts_were_open",
            ),
        ),
        migrations.AddConstraint(
            model_name="alert",
            constraint=models.UniqueConstraint(
                condition=models.Q(("closed_at__isnull", True)), fields=("key",), name="one_open_alert_per_key"
            ),
        ),
        migrations.AddConstraint(
            model_name="alert",
            constraint=models.CheckConstraint(
                condition=models.Q(("severity__in", ["warning", "critical"])), name="alert_severity_is_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="experiment",
            constraint=models.CheckConstraint(
                condition=models.Q(("method__in", ["sprt", "always_valid"])), name="experiment_method_is_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="experiment",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["running", "decided", "stopped"])), name="experiment_state_is_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="experiment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("alpha__gt", 0),
                    ("alpha__lt", 0.5),
                    ("effect__gt", 0),
                    ("effect__lt", 1),
                    ("power__gt", 0.5),
                    ("power__lt", 1),
                ),
                name="experiment_rates_are_shares",
            ),
        ),
        migrations.AddField(
            model_name="experimentoutcome",
            name="experiment",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="outcomes", to="analytics.experiment"
            ),
        ),
        migrations.AddConstraint(
            model_name="latency",
            constraint=models.UniqueConstraint(
                fields=("name", "lane", "up_to_ms", "day"), name="one_latency_bucket_a_day"
            ),
        ),
        migrations.AddIndex(
            model_name="reportsubscription",
            index=models.Index(condition=models.Q(("is_active", True)), fields=["try_at"], name="reports_to_send"),
        ),
        migrations.AddConstraint(
            model_name="reportsubscription",
            constraint=models.CheckConstraint(
                condition=models.Q(("every__in", ["day", "week", "month"])), name="report_rhythm_is_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="reportsubscription",
            constraint=models.CheckConstraint(
                condition=models.Q(("at_hour__gte", 0), ("at_hour__lte", 23)), name="report_hour_is_of_a_day"
            ),
        ),
        migrations.AddConstraint(
            model_name="reportsubscription",
            constraint=models.CheckConstraint(
                condition=models.Q(("on_day__gte", 1), ("on_day__lte", 28)), name="report_day_is_in_every_month"
            ),
        ),
        migrations.AddConstraint(
            model_name="warehouserun",
            constraint=models.UniqueConstraint(
                condition=models.Q(("kind", "nightly")), fields=("night",), name="one_warehouse_run_a_night"
            ),
        ),
        migrations.AddConstraint(
            model_name="warehouserun",
            constraint=models.UniqueConstraint(
                models.Value(1),
                condition=models.Q(("state__in", ["queued", "running"])),
                name="one_warehouse_run_at_a_time",
            ),
        ),
        migrations.AddConstraint(
            model_name="warehouserun",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["nightly", "by_hand", "full_refresh"])),
                name="warehouse_run_kind_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="warehouserun",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["queued", "running", "finished", "failed"])),
                name="warehouse_run_state_is_known",
            ),
        ),
        migrations.AddIndex(
            model_name="experimentoutcome",
            index=models.Index(fields=["experiment", "assigned_at", "contact_id"], name="outcomes_in_their_order"),
        ),
        migrations.AddIndex(
            model_name="experimentoutcome",
            index=models.Index(
                condition=models.Q(("settled", False)), fields=["experiment", "matures_at"], name="outcomes_to_settle"
            ),
        ),
        migrations.AddIndex(
            model_name="experimentoutcome",
            index=models.Index(fields=["contact_id"], name="outcomes_of_a_contact"),
        ),
        migrations.AddConstraint(
            model_name="experimentoutcome",
            constraint=models.UniqueConstraint(
                fields=("experiment", "contact_id"), name="one_outcome_per_experiment_and_contact"
            ),
        ),
    ]
