"""How the stub ESP behaves: a seeded answer for each request. Pure."""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass, fields
from typing import Any

# verdict -> the status that is answered (None: no answer at all), and whether the ESP took the message
VERDICTS: dict[str, tuple[int | None, bool]] = {
    "accepted": (202, True),
    "too_many": (429, False),
    "server_error": (500, False),
    "unavailable": (503, False),
    "hang": (None, True),
    "reset": (None, True),
}


@dataclass(frozen=True)
class StubPlan:
    """Shares are probabilities of a request; what is left is accepted. `hang` and `reset` take the message and lose the
    answer, so that only a sender who never resends blindly keeps from mailing twice.

    `feedback` is the share of accepted messages that webhooks report; each webhook is delivered 1 to `copies` times."""

    seed: int = 0
    latency_ms: tuple[float, float] = (20.0, 200.0)
    too_many: float = 0.0
    server_error: float = 0.0
    unavailable: float = 0.0
    hang: float = 0.0
    reset: float = 0.0
    retry_after: int = 1
    hang_seconds: float = 15.0
    feedback: float = 0.0
    feedback_after: float = 0.5
    opens: float = 0.3
    clicks: float = 0.1
    copies: int = 3

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def read_plan(raw: dict[str, Any]) -> StubPlan:
    """A plan from JSON. Raises ValueError for a word that it does not know: a misspelt fault would never happen."""
    known = {field.name for field in fields(StubPlan)}
    if unknown := raw.keys() - known:
        raise ValueError(f"the stub's plan has no {sorted(unknown)[0]!r}")
    if "latency_ms" in raw:
        low, high = raw["latency_ms"]
        raw = raw | {"latency_ms": (float(low), float(high))}
    return StubPlan(**raw)


@dataclass(frozen=True)
class Answer:
    verdict: str
    latency: float  # seconds

    @property
    def status(self) -> int | None:
        return VERDICTS[self.verdict][0]

    @property
    def taken(self) -> bool:
        return VERDICTS[self.verdict][1]


def answer(plan: StubPlan, mid: str, nth: int) -> Answer:
    """What the `nth` request (from 0) for message `mid` gets: the same for the same seed, in any order."""
    dice = random.Random(f"{plan.seed}:{mid}:{nth}")
    latency = dice.uniform(*plan.latency_ms) / 1000
    throw = dice.random()
    for verdict in ("too_many", "server_error", "unavailable", "hang", "reset"):
        throw -= getattr(plan, verdict)
        if throw < 0:
            return Answer(verdict, latency)
    return Answer("accepted", latency)


def feedback(plan: StubPlan, mid: str) -> list[str]:
    """What happens to a message that was taken, in SendGrid's words; empty where the ESP never reports."""
    dice = random.Random(f"{plan.seed}:feedback:{mid}")
    if dice.random() >= plan.feedback:
        return []
    events = ["processed", "delivered"]
    if dice.random() < plan.opens:
        events.append("open")
        if dice.random() < plan.clicks:
            events.append("click")
    return events
