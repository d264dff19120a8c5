"""Reads all consent records, without keeping anybody from writing meanwhile."""

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("contacts", "0005_sale_is_a_consent_category")]

    operations = [ValidateConstraint(model_name="consentrecord", name="consent_category_is_known")]
