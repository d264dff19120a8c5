"""Room on each page for an enrolment's next version, so that a step rewrites no index (see decision 0006)."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("workflows", "0002_journal")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE workflow_enrolments SET (fillfactor = 50)",
            "ALTER TABLE workflow_enrolments SET (fillfactor = 80)",
        )
    ]
