"""The index of `merged_into` keeps only the contacts that were merged: the entries of all others, which nobody reads,
cost every new contact about a microsecond. Nobody is kept from writing meanwhile, and the foreign key stays as it is
(Django would drop it, and read the whole table to have it back)."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("contacts", "0007_awaited_events")]

    operations = [
        AddIndexConcurrently(
            model_name="contact",
            index=models.Index(
                fields=["merged_into"], condition=Q(merged_into__isnull=False), name="contacts_merged_into"
            ),
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    "DROP INDEX CONCURRENTLY IF EXISTS contacts_merged_into_id_424b4579",
                    "CREATE INDEX CONCURRENTLY contacts_merged_into_id_424b4579 ON contacts (merged_into_id)",
                ),
            ],
            state_operations=[
                migrations.AlterField(
                    model_name="contact",
                    name="merged_into",
                    field=models.ForeignKey(
                        "contacts.contact",
                        null=True,
                        blank=True,
                        on_delete=models.PROTECT,
                        related_name="+",
                        db_index=False,
                    ),
                ),
            ],
        ),
    ]
