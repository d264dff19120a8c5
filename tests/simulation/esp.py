"""The provider: it lives in this process, remembers every request, and answers as the seed has planned."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from contacts import chaos
from delivery.providers.base import ACCEPTED, IN_DOUBT, REJECTED, RETRY, Answer, Letter, Provider
from tests.simulation.baton import Crew

# how it answers, and how often: what it took and what it said of that
ANSWERS = {"takes": 12, "takes and says nothing": 3, "says nothing": 1, "later": 2, "refuses": 1}


@dataclass(frozen=True)
class Request:
    """`place`: the how manyth thing that anybody noticed from outside, acknowledgements included."""

    place: int
    mid: str
    address: str
    is_taken: bool
    message_class: str


class Esp(Provider):
    name = "sandbox"
    is_throttled = False

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self.start_over()

    def start_over(self) -> None:
        self.requests: list[Request] = []
        self.reports: list[bytes] = []  # webhooks that it will make, in no order
        self.noticed = 0

    def notice(self) -> int:
        """The place of something that is noticed now."""
        self.noticed += 1
        return self.noticed

    def deliver(self, letters: Iterable[Letter], *, start_before: float) -> dict[str, Answer]:
        answers: dict[str, Answer] = {}
        for letter in letters:
            self._crew.pause("point", "esp.written")
            if self._crew.time.monotonic() > start_before and not chaos.mutant("no_lease_check"):
                continue
            answers[letter.mid] = self._ask(letter)
            self._crew.pause("point", "esp.asked")
        return answers

    def _ask(self, letter: Letter) -> Answer:
        """From here on nothing holds the request back."""
        plan = self._crew.dice.choices(list(ANSWERS), list(ANSWERS.values()))[0]
        is_taken = plan.startswith("takes")
        self.requests.append(Request(self.notice(), letter.mid, letter.to_address, is_taken, letter.message_class))
        self._crew.say(f"esp {plan} {letter.to_address}")
        if is_taken:
            self._report(letter)
        match plan:
            case "takes":
                return Answer(ACCEPTED)
            case "later":
                return Answer(RETRY, "busy", retry_after=1.0)
            case "refuses":
                return Answer(REJECTED, "refused")
        return Answer(IN_DOUBT, "timeout")

    def _report(self, letter: Letter) -> None:
        """As SendGrid does: each of them up to three times, in whatever order. Some it never tells of."""
        dice = self._crew.dice
        if dice.random() < 0.3:
            return
        last = dice.choices(["delivered", "open", "bounce", "spamreport"], [6, 3, 1, 1])[0]
        for event in ["processed", last]:
            more: dict[str, Any] = {"type": "bounce", "status": "5.1.1"} if event == "bounce" else {}
            body = self._body(letter, event, more)
            self.reports += [body] * dice.choice([1, 1, 2, 3])

    def _body(self, letter: Letter, event: str, more: Mapping[str, Any]) -> bytes:
        known = hashlib.sha256(f"{letter.mid}:{event}".encode()).hexdigest()[:32]
        at = round(self._crew.time.now().timestamp(), 3)
        told = {"email": letter.to_address, "timestamp": at, "event": event, "mid": letter.mid, "sg_event_id": known}
        return json.dumps([{**told, "sg_message_id": f"{letter.mid}.sim", **more}]).encode()
