"""Mail to those who work here."""

from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.db.models import Q

OPEN_NOTICES = ("queued", "sending")


class StaffNotice(models.Model):
    """A mail to somebody of ours: about a contact to its owner, or a template to whoever tries it (`contact_id` null).
    It is no message of the contact's: no cap counts it, no consent is asked for it, and it stands in nobody's ledger.
    Its words go once it is done with.

    queued  -- may be claimed once `due_at` has come
    sending -- queued -> sending: claimed; the request may start until `lease_until`, never after
    accepted · rejected · suppressed · in_doubt -- final; what may have been taken is never sent again
    """

    public_id = models.UUIDField(unique=True, editable=False, db_default=RandomUUID())
    idempotency_key = models.TextField()
    contact_id = models.BigIntegerField(null=True)
    lane = models.TextField()
    to_address = models.TextField()
    subject = models.TextField()
    text = models.TextField()
    html = models.TextField(default="", db_default="")
    headers = models.JSONField(default=dict, db_default={})
    attachments = models.JSONField(default=list, db_default=[])  # [{"name", "content_type", "text"}]
    asked_by_reader = models.BooleanField(default=False, db_default=False)  # goes to whoever asked, suppressed or not
    state = models.TextField(default="queued", db_default="queued")
    attempt = models.SmallIntegerField(default=0, db_default=0)
    address_id = models.BigIntegerField(null=True)
    due_at = models.DateTimeField()
    lease_until = models.DateTimeField(null=True)
    reason = models.TextField(default="", db_default="")
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "staff_notices"
        constraints = [
            models.UniqueConstraint(fields=["idempotency_key"], name="one_notice_per_idempotency_key"),
            models.CheckConstraint(
                condition=Q(state__in=[*OPEN_NOTICES, "accepted", "rejected", "suppressed", "in_doubt"]),
                name="notice_state_is_known",
            ),
            models.CheckConstraint(
                condition=~Q(state="sending") | Q(lease_until__isnull=False, address_id__isnull=False),
                name="started_notices_have_a_lease_and_an_address",
            ),
        ]
        indexes = [
            models.Index(fields=["lane", "due_at"], condition=Q(state="queued"), name="notices_due"),
            models.Index(fields=["lease_until"], condition=Q(state="sending"), name="notices_being_sent"),
            models.Index(fields=["contact_id"], name="notices_about_a_contact"),
            models.Index(fields=["finished_at"], condition=Q(finished_at__isnull=False), name="notices_to_prune"),
        ]
