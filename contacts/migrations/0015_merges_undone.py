"""Merges that were undone, by when: the sweep for what came late looks at the last of them. Nobody is kept from writing
meanwhile."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("contacts", "0014_page_through_a_tag")]

    operations = [
        AddIndexConcurrently(
            model_name="contactmerge",
            index=models.Index(fields=["undone_at"], condition=models.Q(undone_at__isnull=False), name="merges_undone"),
        ),
    ]
