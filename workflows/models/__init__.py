"""The tables of the engine, one noun a file."""

from workflows.models.enrolment import Enrolment, JournalEntry
from workflows.models.intake import EntryRefusal, ProcessedTrigger
from workflows.models.workflow import Workflow, WorkflowTrigger, WorkflowVersion

__all__ = [
    "Enrolment",
    "EntryRefusal",
    "JournalEntry",
    "ProcessedTrigger",
    "Workflow",
    "WorkflowTrigger",
    "WorkflowVersion",
]
