"""What a message says, versioned."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

KINDS = ("message", "layout", "partial")


class Template(models.Model):
    """`kind`: a message that journeys send, a layout around messages, or a piece of them. Layouts and pieces are filled
    in when a message is saved, never when it is sent."""

    slug = models.SlugField(max_length=100, unique=True)
    name = models.TextField()
    channel = models.TextField(default="email", db_default="email")  # email · sms · push
    kind = models.TextField(default="message", db_default="message")
    live_version = models.ForeignKey(
        "delivery.TemplateVersion", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "templates"
        constraints = [
            models.CheckConstraint(condition=Q(channel__in=["email", "sms", "push"]), name="template_channel_is_known"),
            models.CheckConstraint(condition=Q(kind__in=KINDS), name="template_kind_is_known"),
        ]

    def __str__(self) -> str:
        return self.name


class TemplateVersion(models.Model):
    """Immutable (a trigger refuses UPDATE and DELETE): a message points at the words that it was sent with.

    `subject` to `text` are what is rendered; `source` is what somebody wrote, {} where that is the same: {"kind": html
    · mjml · blocks, "body": text or list of blocks, "layout": slug or null, "uses": {slug: version number}}.
    `locales`: {"de": {subject, preheader, html, text, source}, …}, the same for other languages; without one for the
    contact's, the words of the version itself."""

    template = models.ForeignKey(Template, on_delete=models.PROTECT, related_name="versions")
    number = models.IntegerField()
    subject = models.TextField(default="", db_default="")
    preheader = models.TextField(default="", db_default="")
    html = models.TextField(default="", db_default="")
    text = models.TextField(default="", db_default="")
    source = models.JSONField(default=dict, db_default={})
    locales = models.JSONField(default=dict, db_default={})
    options = models.JSONField(default=dict, db_default={})  # {"utm": bool, "allow_personal": [attribute, …]}
    saved_by = models.TextField(default="", db_default="")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "template_versions"
        constraints = [
            models.UniqueConstraint(fields=["template", "number"], name="one_version_per_template_and_number"),
        ]

    def __str__(self) -> str:
        return f"v{self.number}"
