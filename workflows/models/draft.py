"""What became of a draft, change by change."""

from django.db import models


class DraftRevision(models.Model):
    """A draft as somebody left it. `previous` is what it was made of: to undo is to go there, to redo is to come back;
    none where somebody only went about among what was there.

    `number` is the journey's `draft_revision` of that moment; `what` says the change in a few words."""

    workflow = models.ForeignKey("workflows.Workflow", on_delete=models.CASCADE, related_name="revisions")
    number = models.IntegerField()
    previous = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="following")
    definition = models.JSONField()
    what = models.TextField(default="", db_default="")
    by = models.TextField(default="", db_default="")
    at = models.DateTimeField()

    class Meta:
        db_table = "draft_revisions"
        constraints = [
            models.UniqueConstraint(fields=["workflow", "number"], name="one_draft_revision_per_number"),
        ]

    def __str__(self) -> str:
        return f"{self.number}: {self.what or 'saved'}"
