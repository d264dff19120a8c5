"""Servers of others that hear of events, and what was sent to each."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.db.models import Q

ENDPOINT_STATES = ("enabled", "disabled", "removed")
DELIVERY_STATES = ("queued", "calling", "delivered", "failed")
OPEN_DELIVERIES = ("queued", "calling")


class WebhookEndpoint(models.Model):
    """A server that hears of events. Its row changes when somebody changes it, and when its calls begin or cease to
    fail, never with each call: whoever records events reads it.

    enabled  -- hears of every event of its types that may start something
    disabled -- by hand, or by us (`disabled_reason`): hears of nothing new; what is queued waits
    removed  -- for good; kept for the log, without its secrets"""

    public_id = models.UUIDField(unique=True, editable=False, db_default=RandomUUID())
    url = models.TextField()
    description = models.TextField(default="", db_default="", blank=True)
    event_types = ArrayField(models.TextField())  # exact names, or ["*"]
    include_personal_data = models.BooleanField(default=False, db_default=False)
    sealed_secret = models.TextField()  # `sealing`; signs every call
    sealed_old_secret = models.TextField(default="", db_default="", blank=True)  # signs beside it for a while
    old_secret_until = models.DateTimeField(null=True, blank=True)
    state = models.TextField(default="enabled", db_default="enabled")
    disabled_reason = models.TextField(default="", db_default="", blank=True)  # by_hand · gone · failing · secret_lost
    disabled_at = models.DateTimeField(null=True, blank=True)
    failing_since = models.DateTimeField(
        null=True, blank=True
    )  # no call was answered well since; null: the last one was
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()

    class Meta:
        db_table = "webhook_endpoints"
        verbose_name = "outgoing webhook"
        constraints = [
            models.CheckConstraint(condition=Q(state__in=ENDPOINT_STATES), name="endpoint_state_is_known"),
            models.CheckConstraint(
                condition=Q(state="enabled") | Q(disabled_at__isnull=False), name="who_hears_nothing_has_a_date"
            ),
        ]

    def __str__(self) -> str:
        return self.description or self.url


class EndpointDelivery(models.Model):
    """An event on its way to an endpoint. What is sent is made from the event when it is sent, so nothing of a person
    stands here but whom it is about.

    queued    -- is called once `due_at` has come
    calling   -- queued -> calling: claimed; `due_at` is the end of the lease, after which it is called again
    delivered -- answered with a 2xx
    failed    -- given up: `reason` says why"""

    public_id = models.UUIDField(unique=True, editable=False, db_default=RandomUUID())
    webhook_id = models.UUIDField()  # the same for all attempts and replays of an event at an endpoint
    endpoint = models.ForeignKey(
        WebhookEndpoint, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    event_id = models.BigIntegerField(null=True)  # null: a ping
    event_recorded_at = models.DateTimeField(null=True)  # finds the partition of the event
    event_type = models.TextField()
    contact_id = models.BigIntegerField(null=True)
    is_replay = models.BooleanField(default=False, db_default=False)
    state = models.TextField(default="queued", db_default="queued")
    attempts = models.SmallIntegerField(default=0, db_default=0)
    due_at = models.DateTimeField()
    status = models.SmallIntegerField(null=True)  # of the last answer
    reason = models.TextField(default="", db_default="")  # why the last attempt failed, in a word
    duration_ms = models.IntegerField(null=True)  # of the last attempt
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "webhook_deliveries"
        verbose_name = "delivery to a webhook"
        verbose_name_plural = "deliveries to webhooks"
        constraints = [
            models.UniqueConstraint(
                fields=["endpoint", "event_id"],
                condition=Q(is_replay=False),
                name="an_event_is_queued_once_for_an_endpoint",
            ),
            models.CheckConstraint(condition=Q(state__in=DELIVERY_STATES), name="delivery_state_is_known"),
            models.CheckConstraint(
                condition=Q(state__in=OPEN_DELIVERIES) | Q(finished_at__isnull=False),
                name="what_is_final_has_a_date",
            ),
        ]
        indexes = [
            models.Index(
                fields=["endpoint", "due_at", "id"], condition=Q(state__in=OPEN_DELIVERIES), name="deliveries_due"
            ),
            models.Index(fields=["endpoint", "-id"], name="deliveries_newest_first"),
            models.Index(fields=["endpoint", "-id"], condition=Q(state="failed"), name="deliveries_given_up"),
            models.Index(fields=["endpoint", "event_id"], condition=Q(is_replay=True), name="replays_of_an_event"),
            models.Index(fields=["contact_id"], name="deliveries_about_a_contact"),
        ]
