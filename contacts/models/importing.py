"""Imports that survive whatever is killed: the file, how far it was read, and what was refused."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class ImportPreset(models.Model):
    """A mapping of columns that somebody wants to use again."""

    name = models.TextField(unique=True)
    mapping = models.JSONField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "import_presets"

    def __str__(self) -> str:
        return self.name


class ImportRun(models.Model):
    """One file. Each batch commits its rows and its place together, so a run goes on where it stopped.

    waiting   -- uploaded; the mapping is not confirmed yet
    running   -- waiting | stopped -> running: taken in slices by the bulk lane, or by the command that began it
    stopped   -- running -> stopped: by a person, or by a fault that `fault` tells
    done      -- running -> done; a dry run goes back to waiting, and leaves what it found in `checked`
    cancelled -- waiting | running | stopped -> cancelled: what was committed stays
    """

    name = models.TextField()
    digest = models.BinaryField()  # SHA-256 of the file: the same file goes on where it stopped
    size = models.BigIntegerField()  # bytes
    stored = models.BooleanField(default=False, db_default=False)  # in import_chunks, or in a file that a command reads
    format = models.JSONField(default=dict)  # {"encoding", "delimiter", "quote"}
    mapping = models.JSONField(default=dict)  # {"columns": {NAME: {"to", "type"}}, "key"}
    options = models.JSONField(default=dict)  # {"existing", "tags", "lists", "consents", "evidence"}
    dry = models.BooleanField(default=False, db_default=False)  # it writes nothing but its own figures
    checked = models.JSONField(null=True, blank=True)  # what the last dry run counted
    state = models.TextField(default="waiting", db_default="waiting")
    position = models.BigIntegerField(default=0, db_default=0)  # bytes read and committed
    line = models.BigIntegerField(default=0, db_default=0)
    created = models.BigIntegerField(default=0, db_default=0)
    updated = models.BigIntegerField(default=0, db_default=0)
    unchanged = models.BigIntegerField(default=0, db_default=0)
    repeated = models.BigIntegerField(default=0, db_default=0)  # rows about somebody of whom a row just before spoke
    refused = models.BigIntegerField(default=0, db_default=0)
    fault = models.TextField(default="", db_default="", blank=True)
    actor = models.TextField(default="", db_default="", blank=True)
    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "import_runs"
        permissions = [
            ("import_contacts", "Can import contacts from files"),
            ("export_contacts", "Can export contacts to files"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["waiting", "running", "stopped", "done", "cancelled"]),
                name="import_state_is_known",
            ),
        ]
        indexes = [models.Index(fields=["id"], condition=Q(state="running"), name="imports_to_go_on_with")]


class ImportChunk(models.Model):
    """A piece of an uploaded file, compressed; deleted with the run's end, so no copy of people's data stays behind."""

    run = models.ForeignKey(ImportRun, on_delete=models.CASCADE, related_name="+", db_index=False)
    start = models.BigIntegerField()  # byte of the file with which it begins
    content = models.BinaryField()

    class Meta:
        db_table = "import_chunks"
        constraints = [models.UniqueConstraint(fields=["run", "start"], name="one_chunk_per_place")]


class ImportReject(models.Model):
    """A row that was refused, as it stood in the file, and why."""

    run = models.ForeignKey(ImportRun, on_delete=models.CASCADE, related_name="+")
    line = models.BigIntegerField()
    reason = models.TextField()
    row = models.TextField()

    class Meta:
        db_table = "import_rejects"
