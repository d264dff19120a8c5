"""The cases that were written for a journey."""

from django.db import models


class JourneyTests(models.Model):
    """What a definition file holds beside the definition and its templates: `contacts`, `cases`, `rules`, `segments`,
    `lists`. They are tried against the draft, and are no part of any version."""

    workflow = models.OneToOneField("workflows.Workflow", on_delete=models.CASCADE, primary_key=True, related_name="+")
    document = models.JSONField()
    changed_at = models.DateTimeField()
    changed_by = models.TextField(default="", db_default="")

    class Meta:
        db_table = "journey_tests"
