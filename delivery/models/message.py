"""The ledger: what was meant to be sent (messages), what is under way (outbox), what happened (contact_send_log)."""

from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.db.models import Q

STATES = (
    "queued", "sending", "accepted", "rejected", "in_doubt", "undetermined", "suppressed", "capped", "cancelled",
)  # fmt: skip
OPEN_STATES = ("queued", "sending", "in_doubt")


class Message(models.Model):
    """The intent, inserted once and never changed, in the transaction of the step that wanted it.

    `public_id` is the `mid` that the ESP carries for us and reports back. Upper floors are plain ids."""

    public_id = models.UUIDField(unique=True, db_default=RandomUUID())
    contact_id = models.BigIntegerField()
    channel = models.TextField()  # email · sms · push
    template_version = models.ForeignKey("delivery.TemplateVersion", on_delete=models.PROTECT, related_name="+")
    message_class = models.TextField()  # marketing · transactional
    topic = models.TextField(default="", db_default="")
    priority = models.SmallIntegerField(default=5, db_default=5)  # 1 to 10, 10 first
    override_cap = models.BooleanField(default=False, db_default=False)
    lane = models.TextField()  # urgent · bulk
    idempotency_key = models.TextField()  # whatever made it: enrolment:<id>:<seq>
    quiet_hours = models.JSONField(null=True)  # {from, to, policy, timezone}: see delivery.quiet_hours
    context = models.JSONField(default=dict, db_default={})  # merge data beside the contact, e.g. {"trigger": …}
    workflow_id = models.BigIntegerField(null=True)
    version_id = models.BigIntegerField(null=True)
    step = models.TextField(default="", db_default="")
    enrolment_id = models.BigIntegerField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "messages"
        constraints = [
            models.UniqueConstraint(fields=["idempotency_key"], name="one_message_per_idempotency_key"),
            models.CheckConstraint(
                condition=Q(message_class__in=["marketing", "transactional"]), name="message_class_is_known"
            ),
            models.CheckConstraint(condition=Q(priority__range=(1, 10)), name="message_priority_is_1_to_10"),
            models.CheckConstraint(condition=Q(lane__in=["urgent", "bulk"]), name="message_lane_is_known"),
        ]
        indexes = [
            models.Index(fields=["contact_id", "-id"], name="messages_of_a_contact"),
            models.Index(fields=["workflow_id", "-id"], name="messages_of_a_workflow"),
            # what an enrolment left in the queue, when it ends before its time
            models.Index(
                fields=["enrolment_id"],
                condition=Q(enrolment_id__isnull=False),
                name="messages_of_an_enrolment",
            ),
        ]


class OutboxEntry(models.Model):
    """The narrow, mutable side of a message; deleted when the outcome is final.

    queued   -- may be claimed once `due_at` has come
    sending  -- queued -> sending: claimed; the request may start until `lease_until`, never after
    in_doubt -- sending -> in_doubt: the request may have reached the ESP; never resent blindly
    """

    message = models.OneToOneField(Message, primary_key=True, on_delete=models.PROTECT, related_name="+")
    state = models.TextField(default="queued", db_default="queued")
    channel = models.TextField(default="email", db_default="email")  # as the message's, and so is its class
    message_class = models.TextField(default="marketing", db_default="marketing")
    lane = models.TextField()
    priority = models.SmallIntegerField()
    contact_id = models.BigIntegerField()
    address_id = models.BigIntegerField(null=True)  # known from the claim on
    is_paced = models.BooleanField(default=False, db_default=False)  # `due_at` is its turn at the recipient's domain
    due_at = models.DateTimeField()
    attempt = models.SmallIntegerField(default=0, db_default=0)
    claimed_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)

    class Meta:
        db_table = "outbox"
        constraints = [
            models.CheckConstraint(condition=Q(state__in=OPEN_STATES), name="outbox_holds_open_messages_only"),
            models.CheckConstraint(
                condition=Q(state="queued") | Q(lease_until__isnull=False, address_id__isnull=False),
                name="started_messages_have_a_lease_and_an_address",
            ),
        ]
        indexes = [
            # the gate's claim: for each priority and class, those that have been due the longest
            models.Index(
                fields=["lane", "channel", "message_class", "priority", "due_at", "message"],
                condition=Q(state="queued"),
                name="outbox_due_by_class",
            ),
            models.Index(fields=["contact_id"], condition=Q(state="queued"), name="outbox_queued_of_a_contact"),
            models.Index(fields=["address_id"], condition=Q(state="sending"), name="outbox_sending_to_an_address"),
            models.Index(fields=["lease_until"], condition=~Q(state="queued"), name="outbox_leases"),
        ]


class SendLogEntry(models.Model):
    """`contact_send_log`, append-only: one row per claim, outcome or skip, with its evidence.

    The frequency cap counts here: a claim that counts has `cap_delta` 1, and its undoing (not accepted, not started)
    a row of -1 with the same `counts_at`, so any rolling window sums to the truth. `counts_at` is the
    instant of the claim; the request starts within the lease after it.
    """

    message = models.ForeignKey(Message, on_delete=models.PROTECT, related_name="+")
    contact_id = models.BigIntegerField()
    address_id = models.BigIntegerField(null=True)
    channel = models.TextField()
    workflow_id = models.BigIntegerField(null=True)
    kind = models.TextField()  # claimed · accepted · rejected · retry · not_started · in_doubt · undetermined ·
    #                            suppressed · capped · cancelled · deferred (still queued) · replayed (queued again)
    attempt = models.SmallIntegerField(default=0, db_default=0)
    reason = models.TextField(default="", db_default="")  # unsubscribe · hard_bounce · frequency_cap · consent · …
    provider = models.TextField(default="", db_default="")
    provider_code = models.IntegerField(null=True)
    provider_said = models.TextField(default="", db_default="")
    cap_delta = models.SmallIntegerField(default=0, db_default=0)
    counts_at = models.DateTimeField(null=True)
    evidence = models.JSONField(default=dict, db_default={})  # what the gate read
    at = models.DateTimeField()

    class Meta:
        db_table = "contact_send_log"
        constraints = [
            models.CheckConstraint(
                condition=Q(cap_delta=0) | Q(counts_at__isnull=False), name="counted_sends_say_when"
            ),
        ]
        indexes = [
            models.Index(fields=["message", "id"], name="send_log_of_a_message"),
            models.Index(
                fields=["contact_id", "counts_at"],
                condition=~Q(cap_delta=0),
                include=["cap_delta"],
                name="send_log_cap",
            ),
            models.Index(fields=["kind", "at"], name="send_log_by_kind"),
        ]
