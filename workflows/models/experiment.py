"""Which variant of an experiment a contact belongs to, for good."""

from django.db import models


class ExperimentAssignment(models.Model):
    """One per experiment and contact: whoever comes again, in whatever journey, sees the same variant. Append-only."""

    id = models.BigAutoField(primary_key=True)
    experiment = models.TextField()
    contact_id = models.BigIntegerField()
    variant = models.TextField()
    bucket = models.SmallIntegerField()  # 0 to 9,999
    enrolment_id = models.BigIntegerField()
    version_id = models.BigIntegerField()
    step = models.TextField()
    assigned_at = models.DateTimeField()

    class Meta:
        db_table = "experiment_assignments"
        constraints = [
            models.UniqueConstraint(fields=["experiment", "contact_id"], name="one_variant_per_experiment_and_contact"),
        ]
        indexes = [
            models.Index(fields=["contact_id"], name="assignments_of_a_contact"),
            models.Index(fields=["experiment", "assigned_at"], name="assignments_in_their_order"),
        ]
