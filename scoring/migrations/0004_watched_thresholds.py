"""Thresholds that journeys wait for, beside the one for marketing qualification."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("scoring", "0003_recheck_and_lanes"),
    ]

    operations = [
        migrations.CreateModel(
            name="ScoreThreshold",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("owner", models.TextField()),
                ("threshold", models.FloatField()),
                ("declared_at", models.DateTimeField()),
            ],
            options={
                "db_table": "score_thresholds",
                "constraints": [
                    models.UniqueConstraint(fields=("owner", "threshold"), name="an_owner_watches_a_threshold_once")
                ],
            },
        ),
    ]
