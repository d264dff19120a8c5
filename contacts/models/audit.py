"""Who changed what, from what to what: append-only, and sealed in a chain."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class AuditEntry(models.Model):
    """One change by somebody, written in its transaction. `object_id` is a text, since things are named in many ways:
    a slug, a key, a number. `before` and `after` hold no secret and nothing personal; of a contact only the id."""

    actor_kind = models.TextField()  # staff · key · house · nobody
    actor = models.TextField(blank=True)  # the user or the key
    what = models.TextField()  # a deed: workflow.published
    object_type = models.TextField()
    object_id = models.TextField()
    object_name = models.TextField(blank=True, default="", db_default="")
    before = models.JSONField(null=True)  # null: there was nothing
    after = models.JSONField(null=True)  # null: there is nothing any more
    at = models.DateTimeField(db_default=Now())
    request_id = models.TextField(blank=True, default="", db_default="")

    class Meta:
        db_table = "audit_entries"
        verbose_name_plural = "audit entries"
        constraints = [
            models.CheckConstraint(
                condition=Q(actor_kind__in=["staff", "key", "house", "nobody"]), name="audit_entry_says_who"
            ),
            models.CheckConstraint(
                condition=~Q(what="") & ~Q(object_type="") & ~Q(object_id=""), name="audit_entry_says_what"
            ),
        ]
        indexes = [
            models.Index(fields=["object_type", "object_id", "-id"], name="audit_entries_of_a_thing"),
            models.Index(fields=["actor_kind", "actor", "-id"], name="audit_entries_of_an_actor"),
            models.Index(fields=["what", "-id"], name="audit_entries_of_a_deed"),
            models.Index(fields=["at", "id"], name="audit_entries_by_age"),
        ]


class UnsealedEntry(models.Model):
    """Written by a trigger in the transaction of the entry, and taken out when that is sealed. So an entry whose
    transaction takes long is sealed when it is there, whatever number it has."""

    entry_id = models.BigIntegerField(primary_key=True)

    class Meta:
        db_table = "audit_unsealed"


class AuditSeal(models.Model):
    """One link of the chain over the audit log (`contacts.seals`): it seals an entry, or says that entries older than
    `pruned_before` were let go. `digest` covers the row and the digest of the link before. Outlives its entry."""

    position = models.BigIntegerField(primary_key=True)  # 1, 2, 3 … without a gap
    entry_id = models.BigIntegerField(unique=True, null=True)
    entry_at = models.DateTimeField(null=True)
    entry_hash = models.BinaryField(null=True)
    pruned_before = models.DateTimeField(null=True)
    digest = models.BinaryField(unique=True)
    sealed_at = models.DateTimeField()

    class Meta:
        db_table = "audit_seals"
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    entry_id__isnull=False, entry_at__isnull=False, entry_hash__isnull=False, pruned_before__isnull=True
                )
                | Q(entry_id__isnull=True, entry_at__isnull=True, entry_hash__isnull=True, pruned_before__isnull=False),
                name="audit_seal_is_of_an_entry_or_of_a_pruning",
            ),
            models.CheckConstraint(condition=Q(position__gte=1), name="audit_seals_are_counted_from_one"),
        ]
