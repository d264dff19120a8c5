"""Double opt-in with its evidence, and the tombstones of people who were erased."""

from django.db import models
from django.db.models import Q


class OptInRequest(models.Model):
    """A question that was sent to an address: do you want this? Granted by the one button behind `/confirm/<token>`.

    Only the hash of the token is kept. `evidence` is what a regulator would ask for: the form, the wording and its
    version, the address that asked, and the one that answered."""

    token_hash = models.BinaryField(unique=True)
    contact_id = models.BigIntegerField()
    topics = models.JSONField(default=list)  # empty: all marketing
    requested_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    confirmed_at = models.DateTimeField(null=True, blank=True)
    evidence = models.JSONField(default=dict)

    class Meta:
        db_table = "opt_in_requests"
        indexes = [models.Index(fields=["contact_id", "-requested_at"], name="opt_in_requests_of_a_contact")]


class ErasedIdentity(models.Model):
    """A keyed hash of a name that an erased person had: enough to keep them out, not enough to know them."""

    kind = models.TextField()  # email · external_id · phone · anonymous_id
    key_hash = models.BinaryField()
    made_with = models.TextField()  # the fingerprint of the key, without which the hash means nothing
    erased_at = models.DateTimeField()

    class Meta:
        db_table = "erased_identities"
        constraints = [models.UniqueConstraint(fields=["kind", "key_hash"], name="one_tombstone_per_name")]


class PrivacyDeed(models.Model):
    """Who was exported or erased, when and at whose wish; without a word of what was there. Append-only."""

    contact_id = models.BigIntegerField()
    deed = models.TextField()  # export · erase · restrict · unrestrict
    actor = models.TextField()
    at = models.DateTimeField()
    counts = models.JSONField(default=dict)  # rows touched, by table

    class Meta:
        db_table = "privacy_deeds"
        constraints = [
            models.CheckConstraint(
                condition=Q(deed__in=["export", "erase", "restrict", "unrestrict"]), name="privacy_deed_is_known"
            ),
        ]
        indexes = [models.Index(fields=["contact_id", "-id"], name="privacy_deeds_of_a_contact")]
