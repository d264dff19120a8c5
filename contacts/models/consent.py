"""What a contact agreed to, as an append-only record."""

from django.db import models
from django.db.models import Q


class ConsentRecord(models.Model):
    """Granted or denied, by whom and when. The last row of (contact, category, topic) holds."""

    contact_id = models.BigIntegerField()
    category = models.TextField()  # tracking · marketing · data_processing · sale
    topic = models.TextField(default="", db_default="", blank=True)  # marketing only; empty: all; or a channel
    state = models.TextField()  # granted · denied
    recorded_at = models.DateTimeField()
    source = models.TextField()  # api · import · event · preferences · admin · confirm
    evidence = models.JSONField(null=True)

    class Meta:
        db_table = "consent_records"
        constraints = [
            models.CheckConstraint(condition=Q(state__in=["granted", "denied"]), name="consent_is_granted_or_denied"),
            models.CheckConstraint(
                condition=Q(category__in=["tracking", "marketing", "data_processing", "sale"]),
                name="consent_category_is_known",
            ),
        ]
        indexes = [
            models.Index(fields=["contact_id", "category", "topic", "-id"], name="latest_consent_of_a_contact"),
        ]
