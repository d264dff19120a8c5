"""Mail to those who work here may carry files."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("delivery", "0008_claim_by_class")]

    operations = [
        migrations.AddField(
            model_name="staffnotice", name="attachments", field=models.JSONField(db_default=[], default=list)
        ),
        migrations.AddField(
            model_name="sandboxmail", name="attachments", field=models.JSONField(db_default=[], default=list)
        ),
    ]
