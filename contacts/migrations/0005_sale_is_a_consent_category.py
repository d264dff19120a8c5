"""`sale` (CCPA) joins the categories of consent. Not validated here: that reads the whole table (see 0006)."""

from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("contacts", "0004_audiences_and_ways_in")]

    operations = [
        migrations.RemoveConstraint(model_name="consentrecord", name="consent_category_is_known"),
        AddConstraintNotValid(
            model_name="consentrecord",
            constraint=models.CheckConstraint(
                condition=models.Q(category__in=["tracking", "marketing", "data_processing", "sale"]),
                name="consent_category_is_known",
            ),
        ),
    ]
