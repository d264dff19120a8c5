"""Tags. (Lists and segments join them when audiences are built.)"""

from django.db import models


class Tag(models.Model):
    name = models.TextField(unique=True)

    class Meta:
        db_table = "tags"

    def __str__(self) -> str:
        return self.name


class ContactTag(models.Model):
    contact = models.ForeignKey("contacts.Contact", on_delete=models.CASCADE, related_name="+")
    tag = models.ForeignKey(Tag, on_delete=models.CASCADE, related_name="+")
    added_at = models.DateTimeField()

    class Meta:
        db_table = "contact_tags"
        constraints = [models.UniqueConstraint(fields=["contact", "tag"], name="one_row_per_contact_and_tag")]
