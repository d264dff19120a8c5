"""Which types of events somebody waits for: only those are queued from now on (see decision 0014)."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("contacts", "0006_validate_the_consent_categories")]

    operations = [
        migrations.CreateModel(
            name="AwaitedEvent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("owner", models.TextField()),
                ("event_type", models.TextField()),
            ],
            options={
                "db_table": "awaited_events",
                "constraints": [
                    models.UniqueConstraint(fields=("owner", "event_type"), name="an_owner_awaits_a_type_once")
                ],
            },
        ),
    ]
