"""Those who have a tag, in the order in which lists show them: so a page of them is read and nothing else, wherever it
is and however few or long ago they are. It takes the place of the index of the tag alone; that of the contact alone
goes, too, since `one_row_per_contact_and_tag` begins with it. Nobody is kept from writing meanwhile."""

import django.db.models.deletion
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

CONTACT, TAG = "contact_tags_contact_id_e6a8c144", "contact_tags_tag_id_1c356fe8"


def _without_an_index(field: str, to: str) -> migrations.AlterField:
    return migrations.AlterField(
        model_name="contacttag",
        name=field,
        field=models.ForeignKey(to, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="+"),
    )


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("contacts", "0013_freezes")]

    operations = [
        AddIndexConcurrently(
            model_name="contacttag", index=models.Index(fields=["tag", "contact"], name="contacts_of_a_tag")
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    f"DROP INDEX CONCURRENTLY IF EXISTS {TAG}",
                    f"CREATE INDEX CONCURRENTLY {TAG} ON contact_tags (tag_id)",
                ),
                migrations.RunSQL(
                    f"DROP INDEX CONCURRENTLY IF EXISTS {CONTACT}",
                    f"CREATE INDEX CONCURRENTLY {CONTACT} ON contact_tags (contact_id)",
                ),
            ],
            state_operations=[
                _without_an_index("contact", "contacts.contact"),
                _without_an_index("tag", "contacts.tag"),
            ],
        ),
    ]
