"""Keys of the API and of the tracking snippet, and the programs that they belong to."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class ServiceAccount(models.Model):
    """A program that uses the API: its keys come and go, the program stays. Disabled, none of its keys works."""

    name = models.TextField(unique=True)
    description = models.TextField(default="", db_default="", blank=True)
    owner = models.ForeignKey(  # whom to ask; nobody's account ends what a program does
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(db_default=Now())
    disabled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "service_accounts"
        constraints = [models.CheckConstraint(condition=~Q(name=""), name="service_account_has_a_name")]

    def __str__(self) -> str:
        return self.name


class ApiKey(models.Model):
    """A secret or write key. Only its prefix and the SHA-256 of the whole key are kept: shown once, at creation.

    Write keys (`kind` browser or server) may only append events; a browser's is public by nature, so it is kept.
    """

    name = models.TextField()
    kind = models.TextField(default="secret")  # secret · browser · server
    prefix = models.TextField(unique=True)
    key_hash = models.BinaryField(unique=True)
    scopes = ArrayField(models.TextField(), default=list)
    # what a browser's key may do, since everybody can read it
    allowed_events = ArrayField(models.TextField(), default=list, db_default=[], blank=True)  # empty: any
    allowed_origins = ArrayField(models.TextField(), default=list, db_default=[], blank=True)  # empty: any
    identity_secret = models.TextField(default="", db_default="", blank=True)  # sealed; proves `user_hash`
    public_key = models.TextField(default="", db_default="", blank=True)  # the whole key, which stands in every page
    last_event_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    service_account = models.ForeignKey(
        ServiceAccount, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    requests_per_minute = models.PositiveIntegerField(null=True, blank=True)  # null: what the installation allows
    # while a new secret takes the place of an old one, both open
    former_prefix = models.TextField(unique=True, null=True, blank=True)
    former_hash = models.BinaryField(unique=True, null=True, blank=True)
    former_until = models.DateTimeField(null=True, blank=True)
    former_used_at = models.DateTimeField(null=True, blank=True)  # somebody has yet to take the new one
    rotated_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "api_keys"
        verbose_name = "API key"
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=["secret", "browser", "server"]), name="api_key_kind_is_known"),
            models.CheckConstraint(
                condition=Q(requests_per_minute__isnull=True) | Q(requests_per_minute__gt=0),
                name="api_key_allows_some_requests",
            ),
            models.CheckConstraint(
                condition=Q(former_prefix__isnull=True, former_hash__isnull=True, former_until__isnull=True)
                | Q(former_prefix__isnull=False, former_hash__isnull=False, former_until__isnull=False),
                name="api_key_has_a_whole_former_secret_or_none",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"
