"""The domains that mail is sent from: how much they may send yet, and whether they may send at all."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q


class SendingDomain(models.Model):
    """The domain of a From address. A row exists once one was used or somebody wrote it down.

    Warm-up: on day n of it marketing may send `warm_up_steps[n]` messages; `warm_up_step` goes on at the start of a day
    (DEFAULT_TIMEZONE) only if the day before went well. Empty steps, or all of them done: no limit.
    Brake: marketing of the domain waits while `braked_at` is set; transactional mail flows."""

    domain = models.TextField(primary_key=True)
    created_at = models.DateTimeField()
    warm_up_steps = ArrayField(models.IntegerField(), default=list, db_default=[])
    warm_up_step = models.SmallIntegerField(default=0, db_default=0)
    warm_up_day = models.DateField(null=True)  # the day that `warm_up_step` is for; null: not begun
    warm_up_held = models.TextField(default="", db_default="")  # why it did not go on today
    warm_up_held_by = models.TextField(default="", db_default="")  # who wants it to stay at its step; empty: nobody
    braked_at = models.DateTimeField(null=True)
    braked_why = models.JSONField(default=dict, db_default={})  # {reason, rate, limit, sample, since}
    released_at = models.DateTimeField(null=True)  # what was reported before does not brake again
    released_by = models.TextField(default="", db_default="")
    checks = models.JSONField(default=dict, db_default={})  # what DNS said: {spf, dkim, dmarc, mx, …}
    checked_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "sending_domains"
        constraints = [
            models.CheckConstraint(condition=Q(warm_up_step__gte=0), name="warm_up_steps_count_from_0"),
        ]

    def __str__(self) -> str:
        return self.domain


class SendingDay(models.Model):
    """How much marketing a domain in warm-up has claimed on a day (DEFAULT_TIMEZONE): the row that claims lock."""

    pk = models.CompositePrimaryKey("domain", "day")
    domain = models.TextField()
    day = models.DateField()
    claimed = models.IntegerField(default=0, db_default=0)

    class Meta:
        db_table = "sending_days"


class SendingPulse(models.Model):
    """What was reported of a domain's marketing mail `at` about then: a row a batch of reports, folded into one row a
    minute (`is_folded`), so that the last day can be added up every few seconds."""

    domain = models.TextField()
    at = models.DateTimeField()
    delivered = models.IntegerField(default=0, db_default=0)
    hard_bounces = models.IntegerField(default=0, db_default=0)
    complaints = models.IntegerField(default=0, db_default=0)
    is_folded = models.BooleanField(default=False, db_default=False)

    class Meta:
        db_table = "sending_pulses"
        constraints = [
            models.UniqueConstraint(
                fields=["domain", "at"], condition=Q(is_folded=True), name="one_folded_pulse_per_domain_and_minute"
            ),
        ]
        indexes = [models.Index(fields=["id"], condition=Q(is_folded=False), name="pulses_to_fold")]


class PostTally(models.Model):
    """How many messages met what: a row a batch, folded into one row a day and key (`is_folded`).

    `sending`: the domain of the From address. `receiving`: the mailbox provider (gmail · outlook · yahoo · apple · … ·
    other). `what`: accepted · rejected · in_doubt · suppressed · capped and the words of `delivery.webhooks.vocabulary`
    (opened and clicked by people alone; by machines as machine_opened, machine_clicked)."""

    day = models.DateField()  # UTC
    channel = models.TextField()
    provider = models.TextField(default="", db_default="")
    sending = models.TextField(default="", db_default="")
    receiving = models.TextField(default="", db_default="")
    message_class = models.TextField()
    what = models.TextField()
    reason = models.TextField(default="", db_default="")
    n = models.BigIntegerField()
    is_folded = models.BooleanField(default=False, db_default=False)

    class Meta:
        db_table = "post_tallies"
        constraints = [
            models.UniqueConstraint(
                fields=["day", "channel", "provider", "sending", "receiving", "message_class", "what", "reason"],
                condition=Q(is_folded=True),
                name="one_folded_tally_per_day_and_key",
            ),
        ]
        indexes = [
            models.Index(fields=["day", "what"], name="tallies_of_a_day"),
            models.Index(fields=["id"], condition=Q(is_folded=False), name="tallies_to_fold"),
        ]
