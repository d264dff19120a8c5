"""The audit log, append-only, and what roles are told apart by."""

import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("contacts", "0009_index_the_events_that_count")]

    operations = [
        migrations.AlterModelOptions(
            name="contact",
            options={
                "permissions": [
                    ("erase_contact", "Can erase contacts"),
                    ("export_contact", "Can export contacts"),
                    ("restrict_contact", "Can restrict the processing of contacts"),
                    ("see_personal_data", "Can see addresses, names and numbers of contacts"),
                ]
            },
        ),
        migrations.CreateModel(
            name="AuditEntry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("actor_kind", models.TextField()),
                ("actor", models.TextField(blank=True)),
                ("what", models.TextField()),
                ("object_type", models.TextField()),
                ("object_id", models.TextField()),
                ("object_name", models.TextField(blank=True, db_default="", default="")),
                ("before", models.JSONField(null=True)),
                ("after", models.JSONField(null=True)),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("request_id", models.TextField(blank=True, db_default="", default="")),
            ],
            options={
                "verbose_name_plural": "audit entries",
                "db_table": "audit_entries",
                "indexes": [
                    models.Index(fields=["object_type", "object_id", "-id"], name="audit_entries_of_a_thing"),
                    models.Index(fields=["actor_kind", "actor", "-id"], name="audit_entries_of_an_actor"),
                    models.Index(fields=["what", "-id"], name="audit_entries_of_a_deed"),
                    models.Index(fields=["at", "id"], name="audit_entries_by_age"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("actor_kind__in", ["staff", "key", "house", "nobody"])),
                        name="audit_entry_says_who",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("what", ""), _negated=True),
                            models.Q(("object_type", ""), _negated=True),
                            models.Q(("object_id", ""), _negated=True),
                        ),
                        name="audit_entry_says_what",
                    ),
                ],
            },
        ),
        migrations.RunSQL(
            "CREATE TRIGGER audit_entries_is_append_only BEFORE UPDATE OR DELETE ON audit_entries "
            "FOR EACH ROW EXECUTE FUNCTION refuse_to_change_facts();",
            migrations.RunSQL.noop,
        ),
    ]
