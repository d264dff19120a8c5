"""Which identifier means which contact."""

from django.db import models


class ContactIdentity(models.Model):
    """An identifier and the contact that it means. `value` is canonical (see `contacts.identity.canonical`).

    No foreign key: the identity row is inserted first and decides who creates the contact (see `identity.resolve`).
    """

    kind = models.TextField()  # external_id · email · phone · anonymous_id
    value = models.TextField()
    contact_id = models.BigIntegerField()
    first_seen_at = models.DateTimeField()

    class Meta:
        db_table = "contact_identities"
        constraints = [
            models.UniqueConstraint(fields=["kind", "value"], name="one_contact_per_identity"),
        ]
        indexes = [models.Index(fields=["contact_id"], name="identities_of_a_contact")]
