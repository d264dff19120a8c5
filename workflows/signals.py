"""News for the floors above. Senders do not know who listens; listeners run inside the sender's transaction."""

from dataclasses import dataclass

from django.dispatch import Signal


@dataclass(frozen=True)
class Moved:
    """`amount` enrolments did `metric` at `step` (empty: at the workflow itself).

    Metrics of a workflow: entered · pending · completed · failed · exited:<reason> · refused:<reason> ·
    moved_in and moved_out (of a version).
    Metrics of a step: entered · left:<port> · reached (of a goal)."""

    workflow_id: int
    version_id: int
    step: str
    metric: str
    amount: int


# deltas: tuple[Moved, ...], now: datetime
enrolments_moved = Signal()
