"""Where two people have to agree (PUBLISH_NEEDS_SECOND_PERSON): whoever changed a draft since its last version is not
the one who publishes it. The draft's history says who that was; every change counts, also one that was taken back."""

from __future__ import annotations

from django.conf import settings

from contacts.authority import Actor, NotAllowed
from workflows.models import DraftRevision, Workflow


def authors(workflow: Workflow) -> list[str]:
    """Who changed the draft since the last version, in alphabetical order."""
    entries = DraftRevision.objects.filter(workflow=workflow).exclude(by="")
    if workflow.live_version is not None:
        entries = entries.filter(at__gt=workflow.live_version.published_at)
    return sorted(set(entries.values_list("by", flat=True)))


def is_needed(workflow: Workflow, *, by: str) -> bool:
    """Whether somebody else than `by` has to publish this draft."""
    return settings.PUBLISH_NEEDS_SECOND_PERSON and by in authors(workflow)


def require(workflow: Workflow, *, by: str, actor: Actor) -> None:
    """Raises NotAllowed. What the installation itself publishes (a command, the demonstration) was decided by whoever
    runs it."""
    if actor.kind != "house" and is_needed(workflow, by=by):
        raise NotAllowed("A second person publishes: whoever changed the draft cannot publish it.")
