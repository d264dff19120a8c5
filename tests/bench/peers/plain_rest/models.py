"""The product's own tables, as a project would describe them."""

from __future__ import annotations

from django.db import models


class Tag(models.Model):
    name = models.TextField(unique=True)

    class Meta:
        app_label, managed, db_table = "plain_rest", False, "tags"


class Contact(models.Model):
    public_id = models.UUIDField(unique=True)
    external_id = models.TextField()
    email = models.TextField()
    phone = models.TextField()
    attributes = models.JSONField()
    timezone = models.TextField()
    locale = models.TextField()
    region = models.TextField()
    owner_email = models.TextField()
    tags = models.ManyToManyField(Tag, through="ContactTag")

    class Meta:
        app_label, managed, db_table = "plain_rest", False, "contacts"


class ContactTag(models.Model):
    contact = models.ForeignKey(Contact, on_delete=models.CASCADE)
    tag = models.ForeignKey(Tag, on_delete=models.CASCADE)

    class Meta:
        app_label, managed, db_table = "plain_rest", False, "contact_tags"
