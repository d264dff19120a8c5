"""When a message must not go out, as its workflow said. A column that may be null is added without touching a row."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("delivery", "0004_whom_webhooks_are_about")]

    operations = [
        migrations.AddField(model_name="message", name="quiet_hours", field=models.JSONField(null=True)),
    ]
