"""What steps ask of others: a call to somebody's server, a task for a salesperson."""

from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.db.models import Q


class WebhookCall(models.Model):
    """A request that a step `call_webhook` wants made. The enrolment waits at the step until it is answered, or given
    up. The row is the work; `public_id` is the webhook id that the receiver tells repetitions by.

    queued -> calling -> answered | failed; calling -> queued (to be tried again)"""

    public_id = models.UUIDField(unique=True, editable=False, db_default=RandomUUID())
    enrolment_id = models.BigIntegerField()
    seq = models.IntegerField()
    contact_id = models.BigIntegerField()
    workflow_id = models.BigIntegerField()
    step = models.TextField()
    lane = models.TextField()
    method = models.TextField()
    url = models.TextField()
    headers = models.JSONField(default=dict, db_default={})
    body = models.TextField(default="", db_default="")
    state = models.TextField(default="queued", db_default="queued")
    attempts = models.SmallIntegerField(default=0, db_default=0)
    due_at = models.DateTimeField()
    lease_until = models.DateTimeField(null=True)
    status = models.SmallIntegerField(null=True)  # of the answer
    answer = models.JSONField(null=True)  # its body, where it was JSON and short enough
    reason = models.TextField(default="", db_default="")  # why it failed
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "webhook_calls"
        constraints = [
            models.UniqueConstraint(fields=["enrolment_id", "seq"], name="one_webhook_call_per_enrolment_and_seq"),
            models.CheckConstraint(
                condition=Q(state__in=["queued", "calling", "answered", "failed"]), name="webhook_call_state_is_known"
            ),
        ]
        indexes = [
            models.Index(
                fields=["lane", "due_at"], condition=Q(state__in=["queued", "calling"]), name="webhook_calls_due"
            ),
            models.Index(fields=["contact_id"], name="webhook_calls_of_a_contact"),
        ]


class SalesTask(models.Model):
    """What a step `notify_sales` asks of the contact's owner; shown in the admin until it is done."""

    public_id = models.UUIDField(unique=True, editable=False, db_default=RandomUUID())
    enrolment_id = models.BigIntegerField()
    seq = models.IntegerField()
    contact_id = models.BigIntegerField()
    workflow_id = models.BigIntegerField()
    owner_email = models.TextField(default="", db_default="")  # empty: nobody owns the contact
    message = models.TextField()
    made_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True)
    done_by = models.TextField(default="", db_default="")

    class Meta:
        db_table = "sales_tasks"
        constraints = [
            models.UniqueConstraint(fields=["enrolment_id", "seq"], name="one_sales_task_per_enrolment_and_seq"),
        ]
        indexes = [
            models.Index(fields=["owner_email", "id"], condition=Q(done_at=None), name="sales_tasks_open"),
            models.Index(fields=["contact_id"], name="sales_tasks_of_a_contact"),
        ]
