"""Templates and their immutable versions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import connection, transaction

from contacts.faults import Fault
from delivery.authoring import mustache
from delivery.authoring.rendering import Words
from delivery.models import Template, TemplateVersion

PARTS = ("subject", "preheader", "html", "text")


class BadTemplate(ValueError):
    """A part cannot be read as Mustache; `faults` says which and why."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(f"{'.'.join(map(str, fault.loc))}: {fault.msg}" for fault in faults))
        self.faults = tuple(faults)


def check(*, subject: str, preheader: str, html: str, text: str) -> list[Fault]:
    """What is wrong with the parts of a template; empty: nothing."""
    faults = []
    for part, source in zip(PARTS, (subject, preheader, html, text), strict=True):
        try:
            mustache.render(source, {}, escape=part == "html")
        except mustache.BadMustache as error:
            faults.append(Fault("mustache", str(error), (part,)))
        if "\x00" in source:
            faults.append(Fault("control_character", "contains a NUL character", (part,)))
    return faults


def save_version(
    *,
    slug: str,
    name: str,
    subject: str,
    preheader: str = "",
    html: str,
    text: str = "",
    channel: str = "email",
    now: datetime,
) -> int:
    """Make the words the live version of the template, which is made where there is none. Returns the version's id; it
    is the present one's if the words are the same. Messages that were enqueued keep the version they came with.

    Raises BadTemplate."""
    words = {"subject": subject, "preheader": preheader, "html": html, "text": text}
    if faults := check(**words):
        raise BadTemplate(faults)
    with transaction.atomic():
        unknown = Template(slug=slug, name=name, channel=channel, created_at=now)
        Template.objects.bulk_create([unknown], ignore_conflicts=True)
        template = Template.objects.select_for_update(no_key=True).get(slug=slug)
        live = template.live_version
        if live is None or any(getattr(live, part) != words[part] for part in PARTS):
            last = TemplateVersion.objects.filter(template=template).order_by("-number").first()
            number = last.number + 1 if last else 1
            live = TemplateVersion.objects.create(template=template, number=number, created_at=now, **words)
        template.name, template.live_version = name, live
        template.save(update_fields=["name", "live_version"])
        return live.pk


def live_version_ids(slugs: Sequence[str]) -> dict[str, int]:
    """The live version of each template that has one."""
    found = Template.objects.filter(slug__in=slugs, live_version__isnull=False)
    return dict(found.values_list("slug", "live_version_id"))


def channels(slugs: Sequence[str]) -> dict[str, str]:
    """For which channel each template is, of those that there are."""
    return dict(Template.objects.filter(slug__in=slugs).values_list("slug", "channel"))


def words_of(version_ids: Sequence[int]) -> dict[int, Words]:
    """The words of these versions. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, subject, preheader, html, text FROM template_versions WHERE id = ANY(%s)",
            [sorted(set(version_ids))],
        )
        return {row[0]: Words(*row[1:]) for row in cursor.fetchall()}
