"""The tables of the engine, one noun a file."""

from workflows.models.draft import DraftRevision
from workflows.models.editing import EditMove, EditPlan
from workflows.models.enrolment import Enrolment, JournalEntry
from workflows.models.entry import DateEntry, EntryRequest, EntryRun, TriggerSchedule
from workflows.models.errand import SalesTask, WebhookCall
from workflows.models.experiment import ExperimentAssignment
from workflows.models.failure import DeadLetter, EnrolmentBrake, EntryTally
from workflows.models.intake import EntryRefusal, ProcessedTrigger
from workflows.models.journey_tests import JourneyTests
from workflows.models.rehearsal import Rehearsal
from workflows.models.watch import ExitSweep, Watch, WatchCheck
from workflows.models.workflow import Workflow, WorkflowTrigger, WorkflowVersion

__all__ = [
    "DateEntry",
    "DeadLetter",
    "DraftRevision",
    "EditMove",
    "EditPlan",
    "Enrolment",
    "EnrolmentBrake",
    "EntryRefusal",
    "EntryRequest",
    "EntryRun",
    "EntryTally",
    "ExitSweep",
    "ExperimentAssignment",
    "JournalEntry",
    "JourneyTests",
    "ProcessedTrigger",
    "Rehearsal",
    "SalesTask",
    "TriggerSchedule",
    "Watch",
    "WatchCheck",
    "WebhookCall",
    "Workflow",
    "WorkflowTrigger",
    "WorkflowVersion",
]
