"""Which events the workflows wait for, as they tell the ground floor (`contacts.awaited`), which queues no others."""

from __future__ import annotations

from django.db import transaction

from contacts import awaited
from contacts.conditions.reading import about_event
from workflows.models import Watch, Workflow, WorkflowTrigger

PREFIX = "workflow:"
# A paused one, too: what comes meanwhile is decided by intake, and resuming has nothing to declare.
AWAITING = ("live", "paused")


def declare(workflow_id: int) -> None:
    """What this workflow waits for by its state, its triggers, and the waits and exits of its versions: to be called in
    the transaction that changes them, which holds the row of the workflow."""
    awaited.declare(owner(workflow_id), {event_type for _, event_type in _wanted(workflow_id)})


def undeclared() -> list[str]:
    """The slugs of workflows that wait for events which are not queued for them. There are none, unless somebody
    changed the tables by hand, or published with an older version of the house."""
    declared = awaited.declared(PREFIX)
    wanting = {workflow_id for workflow_id, kind in _wanted() if kind not in declared.get(owner(workflow_id), ())}
    return list(Workflow.objects.filter(pk__in=wanting).order_by("slug").values_list("slug", flat=True))


def _wanted(workflow_id: int | None = None) -> set[tuple[int, str]]:
    """(workflow id, type of event) of one workflow, or of all. Two statements."""
    triggers = WorkflowTrigger.objects.filter(workflow__status__in=AWAITING)
    watches = Watch.objects.filter(about__startswith=about_event(""))
    if workflow_id is not None:
        triggers = triggers.filter(workflow_id=workflow_id)
        watches = watches.filter(version__workflow_id=workflow_id)
    looked_for = watches.values_list("version__workflow_id", "about").distinct()
    return set(triggers.values_list("workflow_id", "event_type")) | {
        (owner, about.removeprefix(about_event(""))) for owner, about in looked_for
    }


def rebuild() -> None:
    """Declare everything anew."""
    with transaction.atomic():
        for workflow in Workflow.objects.select_for_update(no_key=True).order_by("pk"):
            declare(workflow.pk)


def owner(workflow_id: int) -> str:
    """As what a workflow declares what it waits for."""
    return f"{PREFIX}{workflow_id}"
