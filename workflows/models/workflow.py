"""A workflow, its draft, and its immutable published versions."""

from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class Workflow(models.Model):
    """A journey. The draft may be unfinished; what runs is always a published version.

    draft -> live -> paused <-> live -> archived
    """

    public_id = models.UUIDField(unique=True, editable=False, db_default=RandomUUID())
    slug = models.SlugField(max_length=100, unique=True)
    name = models.TextField()
    status = models.TextField(default="draft", db_default="draft")
    draft = models.JSONField(default=dict, blank=True, help_text="the definition, schema 1")
    draft_revision = models.IntegerField(default=1, db_default=1, help_text="+1 with every change, undone ones as well")
    draft_entry = models.ForeignKey(
        "workflows.DraftRevision", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    live_version = models.ForeignKey(
        "workflows.WorkflowVersion", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "workflows"
        verbose_name = "journey"
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=["draft", "live", "paused", "archived"]), name="workflow_status_is_known"
            ),
            models.CheckConstraint(
                condition=Q(status="draft") | Q(live_version__isnull=False), name="only_published_workflows_run"
            ),
        ]
        permissions = [
            ("publish_workflow", "Can publish, pause and archive journeys"),
            ("pause_workflow", "Can pause and resume journeys"),
        ]

    def __str__(self) -> str:
        return self.name


class WorkflowVersion(models.Model):
    """A definition as it was published. Immutable: a trigger refuses UPDATE and DELETE; enrolments run what they
    entered with."""

    workflow = models.ForeignKey(Workflow, on_delete=models.PROTECT, related_name="versions")
    number = models.IntegerField()
    definition = models.JSONField()
    definition_hash = models.TextField()
    published_at = models.DateTimeField()
    published_by = models.TextField(default="", db_default="")
    note = models.TextField(default="", db_default="")

    class Meta:
        db_table = "workflow_versions"
        verbose_name = "version"
        constraints = [
            models.UniqueConstraint(fields=["workflow", "number"], name="one_version_per_workflow_and_number"),
        ]

    def __str__(self) -> str:
        return f"v{self.number}"


class WorkflowTrigger(models.Model):
    """The trigger index: which live versions an event type may start. Rewritten when a workflow is published."""

    workflow = models.ForeignKey(Workflow, on_delete=models.CASCADE, related_name="+")
    version = models.ForeignKey(WorkflowVersion, on_delete=models.PROTECT, related_name="+")
    event_type = models.TextField()

    class Meta:
        db_table = "workflow_triggers"
        constraints = [
            models.UniqueConstraint(fields=["event_type", "workflow"], name="one_trigger_per_event_type_and_workflow"),
        ]
