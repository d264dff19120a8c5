"""What was answered to requests that carry an `Idempotency-Key`."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class IdempotentRequest(models.Model):
    """A request of a key of the API that may be sent again. The row is written in the transaction of its work, so it
    says what was done even if nobody could be told; the answer follows. Swept when a day old.

    `status` null: the work is committed, and its answer is not known: not yet, lost with its process, too large or too
    secret to keep, or about somebody who was erased since."""

    api_key = models.ForeignKey("contacts.ApiKey", on_delete=models.CASCADE, related_name="+")
    key = models.TextField()  # the SHA-256 of what was sent, in hex: that may be anything, also somebody's address
    route = models.TextField()  # method and path
    body_hash = models.BinaryField()
    status = models.SmallIntegerField(null=True)
    content_type = models.TextField(default="", db_default="")
    answer = models.BinaryField(null=True)
    made_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "idempotent_requests"
        constraints = [
            models.UniqueConstraint(fields=["api_key", "key"], name="a_key_of_the_api_says_an_idempotency_key_once"),
            models.CheckConstraint(
                condition=Q(status__isnull=True, answer__isnull=True) | Q(status__isnull=False, answer__isnull=False),
                name="idempotent_request_has_a_whole_answer_or_none",
            ),
            models.CheckConstraint(condition=~Q(key=""), name="idempotency_key_is_not_empty"),
        ]
        indexes = [models.Index(fields=["made_at"], name="idempotent_requests_by_age")]
