"""What a whole engine needs to remember: other ways in, waits and exits that facts end, failures, edits, errands."""

import django.contrib.postgres.functions
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("workflows", "0004_declare_what_is_awaited"),
    ]

    operations = [
        migrations.CreateModel(
            name="DateEntry",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("workflow_id", models.BigIntegerField()),
                ("contact_id", models.BigIntegerField()),
                ("occasion", models.TextField()),
                ("due_at", models.DateTimeField()),
                ("done_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "date_entries",
            },
        ),
        migrations.CreateModel(
            name="DeadLetter",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "public_id",
                    models.UUIDField(
                        db_default=django.contrib.postgres.functions.RandomUUID(), editable=False, unique=True
                    ),
                ),
                ("enrolment_id", models.BigIntegerField()),
                ("workflow_id", models.BigIntegerField()),
                ("version_id", models.BigIntegerField()),
                ("contact_id", models.BigIntegerField()),
                ("step", models.TextField()),
                ("seq", models.IntegerField()),
                ("category", models.TextField()),
                ("error", models.TextField()),
                ("trace", models.TextField(db_default="", default="")),
                ("attempts", models.SmallIntegerField()),
                ("failed_at", models.DateTimeField()),
                ("state", models.TextField(db_default="open", default="open")),
                ("resolved_at", models.DateTimeField(null=True)),
                ("resolved_by", models.TextField(db_default="", default="")),
            ],
            options={
                "db_table": "dead_letters",
            },
        ),
        migrations.CreateModel(
            name="EditMove",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "plan_id", "enrolment_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("plan_id", models.BigIntegerField()),
                ("enrolment_id", models.BigIntegerField()),
                ("from_version_id", models.BigIntegerField()),
                ("from_step", models.TextField()),
                ("from_state", models.TextField()),
                ("from_wake_at", models.DateTimeField()),
                ("from_waiting_since", models.DateTimeField(null=True)),
                ("seq", models.IntegerField()),
            ],
            options={
                "db_table": "edit_moves",
            },
        ),
        migrations.CreateModel(
            name="EditPlan",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "public_id",
                    models.UUIDField(
                        db_default=django.contrib.postgres.functions.RandomUUID(), editable=False, unique=True
                    ),
                ),
                ("decisions", models.JSONField()),
                ("state", models.TextField(db_default="applying", default="applying")),
                ("moved", models.BigIntegerField(db_default=0, default=0)),
                ("exited", models.BigIntegerField(db_default=0, default=0)),
                ("put_back", models.BigIntegerField(db_default=0, default=0)),
                ("position", models.BigIntegerField(db_default=0, default=0)),
                ("made_by", models.TextField(db_default="", default="")),
                ("made_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(null=True)),
                ("undone_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "edit_plans",
            },
        ),
        migrations.CreateModel(
            name="EnrolmentBrake",
            fields=[
                (
                    "workflow",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="workflows.workflow",
                    ),
                ),
                ("braked_at", models.DateTimeField()),
                ("rate", models.FloatField()),
                ("usual", models.FloatField()),
                ("released_at", models.DateTimeField(null=True)),
                ("released_by", models.TextField(db_default="", default="")),
            ],
            options={
                "db_table": "enrolment_brakes",
            },
        ),
        migrations.CreateModel(
            name="EntryTally",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("workflow_id", models.BigIntegerField()),
                ("at", models.DateTimeField()),
                ("amount", models.IntegerField()),
                ("folded", models.BooleanField(db_default=False, default=False)),
            ],
            options={
                "db_table": "entry_tallies",
                "indexes": [
                    models.Index(condition=models.Q(("folded", False)), fields=["id"], name="entry_tallies_to_fold")
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("folded", True)),
                        fields=("workflow_id", "at"),
                        name="one_folded_tally_per_workflow_and_time",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="EntryRequest",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("workflow_id", models.BigIntegerField()),
                ("contact_id", models.BigIntegerField()),
                ("lane", models.TextField()),
                ("trigger", models.JSONField()),
                ("requested_at", models.DateTimeField()),
            ],
            options={
                "db_table": "entry_requests",
            },
        ),
        migrations.CreateModel(
            name="EntryRun",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "public_id",
                    models.UUIDField(
                        db_default=django.contrib.postgres.functions.RandomUUID(), editable=False, unique=True
                    ),
                ),
                ("kind", models.TextField()),
                ("audience", models.JSONField(null=True)),
                ("properties", models.JSONField(db_default={}, default=dict)),
                ("scheduled_for", models.DateTimeField(null=True)),
                ("expected", models.BigIntegerField(null=True)),
                ("position", models.BigIntegerField(db_default=0, default=0)),
                ("up_to", models.BigIntegerField()),
                ("looked_at", models.BigIntegerField(db_default=0, default=0)),
                ("entered", models.BigIntegerField(db_default=0, default=0)),
                ("refused", models.BigIntegerField(db_default=0, default=0)),
                ("state", models.TextField(db_default="running", default="running")),
                ("started_by", models.TextField(db_default="", default="")),
                ("started_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "entry_runs",
            },
        ),
        migrations.CreateModel(
            name="ExitSweep",
            fields=[
                (
                    "version",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="workflows.workflowversion",
                    ),
                ),
                ("next_at", models.DateTimeField()),
                ("position", models.BigIntegerField(db_default=0, default=0)),
            ],
            options={
                "db_table": "exit_sweeps",
            },
        ),
        migrations.CreateModel(
            name="ExperimentAssignment",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("experiment", models.TextField()),
                ("contact_id", models.BigIntegerField()),
                ("variant", models.TextField()),
                ("bucket", models.SmallIntegerField()),
                ("enrolment_id", models.BigIntegerField()),
                ("version_id", models.BigIntegerField()),
                ("step", models.TextField()),
                ("assigned_at", models.DateTimeField()),
            ],
            options={
                "db_table": "experiment_assignments",
            },
        ),
        migrations.CreateModel(
            name="SalesTask",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "public_id",
                    models.UUIDField(
                        db_default=django.contrib.postgres.functions.RandomUUID(), editable=False, unique=True
                    ),
                ),
                ("enrolment_id", models.BigIntegerField()),
                ("seq", models.IntegerField()),
                ("contact_id", models.BigIntegerField()),
                ("workflow_id", models.BigIntegerField()),
                ("owner_email", models.TextField(db_default="", default="")),
                ("message", models.TextField()),
                ("made_at", models.DateTimeField()),
                ("done_at", models.DateTimeField(null=True)),
                ("done_by", models.TextField(db_default="", default="")),
            ],
            options={
                "db_table": "sales_tasks",
            },
        ),
        migrations.CreateModel(
            name="TriggerSchedule",
            fields=[
                (
                    "workflow",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="workflows.workflow",
                    ),
                ),
                ("kind", models.TextField()),
                ("next_at", models.DateTimeField(null=True)),
                ("position", models.BigIntegerField(db_default=0, default=0)),
                ("round_to", models.DateTimeField(null=True)),
                ("seen_to", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "trigger_schedules",
            },
        ),
        migrations.CreateModel(
            name="Watch",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("step", models.TextField(db_default="", default="")),
                ("about", models.TextField()),
            ],
            options={
                "db_table": "version_watches",
            },
        ),
        migrations.CreateModel(
            name="WatchCheck",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("contact_id", models.BigIntegerField()),
                ("lane", models.TextField()),
                ("due_at", models.DateTimeField()),
            ],
            options={
                "db_table": "watch_checks",
            },
        ),
        migrations.CreateModel(
            name="WebhookCall",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "public_id",
                    models.UUIDField(
                        db_default=django.contrib.postgres.functions.RandomUUID(), editable=False, unique=True
                    ),
                ),
                ("enrolment_id", models.BigIntegerField()),
                ("seq", models.IntegerField()),
                ("contact_id", models.BigIntegerField()),
                ("workflow_id", models.BigIntegerField()),
                ("step", models.TextField()),
                ("lane", models.TextField()),
                ("method", models.TextField()),
                ("url", models.TextField()),
                ("headers", models.JSONField(db_default={}, default=dict)),
                ("body", models.TextField(db_default="", default="")),
                ("state", models.TextField(db_default="queued", default="queued")),
                ("attempts", models.SmallIntegerField(db_default=0, default=0)),
                ("due_at", models.DateTimeField()),
                ("lease_until", models.DateTimeField(null=True)),
                ("status", models.SmallIntegerField(null=True)),
                ("answer", models.JSONField(null=True)),
                ("reason", models.TextField(db_default="", default="")),
                ("finished_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "webhook_calls",
            },
        ),
        migrations.AddField(
            model_name="enrolment",
            name="attempts",
            field=models.SmallIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="enrolment",
            name="capped",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name="enrolment",
            name="held",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name="enrolment",
            name="snapshot",
            field=models.JSONField(null=True),
        ),
        migrations.AddField(
            model_name="entryrefusal",
            name="detail",
            field=models.JSONField(db_default={}, default=dict),
        ),
        migrations.AddField(
            model_name="entryrefusal",
            name="version_id",
            field=models.BigIntegerField(null=True),
        ),
        migrations.AddIndex(
            model_name="dateentry",
            index=models.Index(condition=models.Q(("done_at", None)), fields=["due_at"], name="date_entries_due"),
        ),
        migrations.AddConstraint(
            model_name="dateentry",
            constraint=models.UniqueConstraint(
                fields=("workflow_id", "contact_id", "occasion"), name="one_date_entry_per_workflow_contact_and_date"
            ),
        ),
        migrations.AddIndex(
            model_name="deadletter",
            index=models.Index(
                condition=models.Q(("state", "open")), fields=["workflow_id", "step", "id"], name="dead_letters_open"
            ),
        ),
        migrations.AddIndex(
            model_name="deadletter",
            index=models.Index(fields=["contact_id"], name="dead_letters_of_a_contact"),
        ),
        migrations.AddConstraint(
            model_name="deadletter",
            constraint=models.UniqueConstraint(fields=("enrolment_id", "seq"), name="one_dead_letter_per_failure"),
        ),
        migrations.AddConstraint(
            model_name="deadletter",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["open", "retried", "skipped", "exited"])),
                name="dead_letter_state_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="deadletter",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("resolved_at", None), ("state", "open")),
                    models.Q(models.Q(("state", "open"), _negated=True), ("resolved_at__isnull", False)),
                    _connector="OR",
                ),
                name="resolved_dead_letters_say_when",
            ),
        ),
        migrations.AddField(
            model_name="editplan",
            name="to_version",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="workflows.workflowversion",
            ),
        ),
        migrations.AddField(
            model_name="editplan",
            name="workflow",
            field=models.ForeignKey(
                db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="workflows.workflow"
            ),
        ),
        migrations.AddIndex(
            model_name="entryrequest",
            index=models.Index(fields=["lane", "id"], name="entry_requests_to_take"),
        ),
        migrations.AddField(
            model_name="entryrun",
            name="version",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="workflows.workflowversion",
            ),
        ),
        migrations.AddField(
            model_name="entryrun",
            name="workflow",
            field=models.ForeignKey(
                db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="workflows.workflow"
            ),
        ),
        migrations.AddIndex(
            model_name="exitsweep",
            index=models.Index(fields=["next_at"], name="exit_sweeps_due"),
        ),
        migrations.AddConstraint(
            model_name="exitsweep",
            constraint=models.CheckConstraint(condition=models.Q(("position__gte", 0)), name="exit_sweep_goes_forward"),
        ),
        migrations.AddIndex(
            model_name="experimentassignment",
            index=models.Index(fields=["contact_id"], name="assignments_of_a_contact"),
        ),
        migrations.AddConstraint(
            model_name="experimentassignment",
            constraint=models.UniqueConstraint(
                fields=("experiment", "contact_id"), name="one_variant_per_experiment_and_contact"
            ),
        ),
        migrations.AddIndex(
            model_name="salestask",
            index=models.Index(
                condition=models.Q(("done_at", None)), fields=["owner_email", "id"], name="sales_tasks_open"
            ),
        ),
        migrations.AddIndex(
            model_name="salestask",
            index=models.Index(fields=["contact_id"], name="sales_tasks_of_a_contact"),
        ),
        migrations.AddConstraint(
            model_name="salestask",
            constraint=models.UniqueConstraint(
                fields=("enrolment_id", "seq"), name="one_sales_task_per_enrolment_and_seq"
            ),
        ),
        migrations.AddField(
            model_name="triggerschedule",
            name="version",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="workflows.workflowversion",
            ),
        ),
        migrations.AddField(
            model_name="watch",
            name="version",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="workflows.workflowversion",
            ),
        ),
        migrations.AddIndex(
            model_name="watchcheck",
            index=models.Index(fields=["lane", "due_at", "id"], name="watch_checks_due"),
        ),
        migrations.AddIndex(
            model_name="webhookcall",
            index=models.Index(
                condition=models.Q(("state__in", ["queued", "calling"])),
                fields=["lane", "due_at"],
                name="webhook_calls_due",
            ),
        ),
        migrations.AddIndex(
            model_name="webhookcall",
            index=models.Index(fields=["contact_id"], name="webhook_calls_of_a_contact"),
        ),
        migrations.AddConstraint(
            model_name="webhookcall",
            constraint=models.UniqueConstraint(
                fields=("enrolment_id", "seq"), name="one_webhook_call_per_enrolment_and_seq"
            ),
        ),
        migrations.AddConstraint(
            model_name="webhookcall",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["queued", "calling", "answered", "failed"])),
                name="webhook_call_state_is_known",
            ),
        ),
        migrations.AddIndex(
            model_name="editplan",
            index=models.Index(fields=["workflow", "-id"], name="edit_plans_of_a_workflow"),
        ),
        migrations.AddConstraint(
            model_name="editplan",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["applying", "applied", "undoing", "undone"])),
                name="edit_plan_state_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="editplan",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state__in", ["applying", "undoing"])),
                fields=("workflow",),
                name="one_edit_plan_at_a_time",
            ),
        ),
        migrations.AddIndex(
            model_name="entryrun",
            index=models.Index(condition=models.Q(("state", "running")), fields=["id"], name="entry_runs_to_go_on"),
        ),
        migrations.AddConstraint(
            model_name="entryrun",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ("existing", "schedule", "manual", "api"))),
                name="entry_run_kind_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="entryrun",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["running", "done", "stopped"])), name="entry_run_state_is_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="entryrun",
            constraint=models.UniqueConstraint(
                condition=models.Q(("kind", "schedule")),
                fields=("workflow", "scheduled_for"),
                name="one_entry_run_per_occurrence",
            ),
        ),
        migrations.AddConstraint(
            model_name="triggerschedule",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["schedule", "date"])), name="trigger_schedule_kind_is_known"
            ),
        ),
        migrations.AddIndex(
            model_name="triggerschedule",
            index=models.Index(fields=["next_at"], name="trigger_schedules_due"),
        ),
        migrations.AddIndex(
            model_name="watch",
            index=models.Index(fields=["version"], name="watches_of_a_version"),
        ),
        migrations.AddConstraint(
            model_name="watch",
            constraint=models.UniqueConstraint(
                fields=("about", "version", "step"), name="one_watch_per_about_version_and_step"
            ),
        ),
        migrations.CreateModel(
            name="JourneyTests",
            fields=[
                (
                    "workflow",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="workflows.workflow",
                    ),
                ),
                ("document", models.JSONField()),
                ("changed_at", models.DateTimeField()),
                ("changed_by", models.TextField(db_default="", default="")),
            ],
            options={
                "db_table": "journey_tests",
            },
        ),
    ]
