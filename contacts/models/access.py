"""Keys of the API and of the tracking snippet."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


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
    identity_secret = models.TextField(default="", db_default="", blank=True)  # proves `user_hash`; empty: nobody can
    public_key = models.TextField(default="", db_default="", blank=True)  # the whole key, which stands in every page
    last_event_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "api_keys"
        verbose_name = "API key"
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=["secret", "browser", "server"]), name="api_key_kind_is_known"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"
