"""News for the floors above. Senders do not know who listens; listeners run inside the sender's transaction."""

from dataclasses import dataclass

from django.dispatch import Signal


@dataclass(frozen=True)
class Moved:
    """`amount` enrolments did `metric` at `step` (empty: at the workflow itself).

    Metrics of a workflow: entered · completed · failed · exited:<reason> · refused:<reason> ·
    moved_in and moved_out (of a version).
    Metrics of a step: entered · left:<port> · reached (of a goal) · moved_in and moved_out (amid a wait) ·
    pending · active · waiting: how many more stand there in that state (fewer, where it is negative).

    With a `variant` (<experiment>:<variant>) it is what those did who had taken it, told once more: all but where they
    stand. `entered` of a workflow is then the taking."""

    workflow_id: int
    version_id: int
    step: str
    metric: str
    amount: int
    variant: str = ""


# deltas: tuple[Moved, ...], now: datetime
enrolments_moved = Signal()

# lane: str, late: tuple[timedelta, ...] (how long after its wake time each wait was claimed), now: datetime
waits_ended = Signal()
