"""One profile per person, and the append-only log of what changed in it."""

from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from contacts import personal


class Contact(models.Model):
    """One person. `email` and `external_id` are shown here; `contact_identities` decides who is who."""

    public_id = models.UUIDField(unique=True, editable=False, db_default=RandomUUID())
    external_id = models.TextField(blank=True, default="", db_default="")
    email = models.TextField(blank=True, default="", db_default="")
    phone = models.TextField(blank=True, default="", db_default="")
    attributes = models.JSONField(blank=True, default=dict, db_default={})
    timezone = models.TextField(blank=True, default="", db_default="", help_text="IANA name, e.g. Europe/Berlin")
    locale = models.TextField(blank=True, default="", db_default="")
    region = models.TextField(blank=True, default="", db_default="")
    owner_email = models.TextField(blank=True, default="", db_default="", help_text="who in sales looks after them")
    frequency_cap = models.JSONField(
        null=True, blank=True, help_text='{"per_day": 1, "per_week": 3}; empty means the installation\'s default'
    )
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())
    merged_into = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    erased_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "contacts"
        permissions = [
            ("erase_contact", "Can erase contacts"),
            ("export_contact", "Can export contacts"),
            ("restrict_contact", "Can restrict the processing of contacts"),
            ("see_personal_data", "Can see addresses, names and numbers of contacts"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(merged_into=None) | ~Q(merged_into=F("id")), name="no_merge_into_self"),
        ]
        indexes = [
            models.Index(fields=["email"], name="contacts_by_email"),
            models.Index(fields=["external_id"], name="contacts_by_external_id"),
            models.Index(fields=["-created_at", "-id"], name="contacts_newest_first"),
            # hardly anybody is merged, and every index costs whoever comes in
            models.Index(fields=["merged_into"], condition=Q(merged_into__isnull=False), name="contacts_merged_into"),
        ]

    def __str__(self) -> str:
        """As lists and headings call them; the address is masked for who may not see it."""
        return personal.address(self.email or self.external_id) or f"Contact {self.pk}"


class ContactChange(models.Model):
    """What changed in a contact, with the old and the new value. Append-only: "why", undo and rehearsal read it."""

    contact_id = models.BigIntegerField()
    changed_at = models.DateTimeField()
    kind = models.TextField()  # attribute · field · tag · list · identity · identity_conflict · left_apart
    name = models.TextField()
    old = models.JSONField(null=True)
    new = models.JSONField(null=True)
    source = models.TextField()  # api · import · workflow:<slug> · admin · event

    class Meta:
        db_table = "contact_changes"
        indexes = [
            models.Index(fields=["contact_id", "changed_at"], name="changes_of_a_contact"),
            models.Index(fields=["-id"], condition=Q(kind="identity_conflict"), name="identity_conflicts_newest"),
            # erasure: who else once said a name of theirs
            models.Index(fields=["old"], condition=Q(kind="identity_conflict"), name="conflicts_about_a_contact"),
        ]
