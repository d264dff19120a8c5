"""What a message says, versioned."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class Template(models.Model):
    slug = models.SlugField(max_length=100, unique=True)
    name = models.TextField()
    channel = models.TextField(default="email", db_default="email")  # email · sms · push
    live_version = models.ForeignKey(
        "delivery.TemplateVersion", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "templates"
        constraints = [
            models.CheckConstraint(condition=Q(channel__in=["email", "sms", "push"]), name="template_channel_is_known"),
        ]

    def __str__(self) -> str:
        return self.name


class TemplateVersion(models.Model):
    """Immutable (a trigger refuses UPDATE and DELETE): a message points at the words that it was sent with."""

    template = models.ForeignKey(Template, on_delete=models.PROTECT, related_name="versions")
    number = models.IntegerField()
    subject = models.TextField(default="", db_default="")
    preheader = models.TextField(default="", db_default="")
    html = models.TextField(default="", db_default="")
    text = models.TextField(default="", db_default="")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "template_versions"
        constraints = [
            models.UniqueConstraint(fields=["template", "number"], name="one_version_per_template_and_number"),
        ]

    def __str__(self) -> str:
        return f"v{self.number}"
