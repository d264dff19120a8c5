"""A chain of seals over the audit log, and when the former secret of a key was last used."""

from django.db import migrations, models

# Entries that stand already are sealed with the first ones that come.
UNSEALED = """
CREATE FUNCTION have_audit_entry_sealed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit_unsealed (entry_id) VALUES (NEW.id);
    RETURN NULL;
END $$;
CREATE TRIGGER audit_entries_are_sealed AFTER INSERT ON audit_entries
    FOR EACH ROW EXECUTE FUNCTION have_audit_entry_sealed();
INSERT INTO audit_unsealed (entry_id) SELECT id FROM audit_entries;
"""


class Migration(migrations.Migration):
    dependencies = [("contacts", "0011_service_accounts_and_idempotency")]

    operations = [
        migrations.AddField(
            model_name="apikey",
            name="former_used_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.CreateModel(
            name="UnsealedEntry",
            fields=[("entry_id", models.BigIntegerField(primary_key=True, serialize=False))],
            options={"db_table": "audit_unsealed"},
        ),
        migrations.CreateModel(
            name="AuditSeal",
            fields=[
                ("position", models.BigIntegerField(primary_key=True, serialize=False)),
                ("entry_id", models.BigIntegerField(null=True, unique=True)),
                ("entry_at", models.DateTimeField(null=True)),
                ("entry_hash", models.BinaryField(null=True)),
                ("pruned_before", models.DateTimeField(null=True)),
                ("digest", models.BinaryField(unique=True)),
                ("sealed_at", models.DateTimeField()),
            ],
            options={
                "db_table": "audit_seals",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("entry_at__isnull", False),
                                ("entry_hash__isnull", False),
                                ("entry_id__isnull", False),
                                ("pruned_before__isnull", True),
                            ),
                            models.Q(
                                ("entry_at__isnull", True),
                                ("entry_hash__isnull", True),
                                ("entry_id__isnull", True),
                                ("pruned_before__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="audit_seal_is_of_an_entry_or_of_a_pruning",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("position__gte", 1)), name="audit_seals_are_counted_from_one"
                    ),
                ],
            },
        ),
        migrations.RunSQL(
            UNSEALED,
            "DROP TRIGGER audit_entries_are_sealed ON audit_entries; DROP FUNCTION have_audit_entry_sealed();",
        ),
        migrations.RunSQL(
            "CREATE TRIGGER audit_seals_is_append_only BEFORE UPDATE OR DELETE ON audit_seals "
            "FOR EACH ROW EXECUTE FUNCTION refuse_to_change_facts();",
            migrations.RunSQL.noop,
        ),
    ]
