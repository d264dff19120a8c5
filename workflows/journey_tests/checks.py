"""What may be asked of a case. Each answers in two sentences: what was expected, and what was found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import connection

from contacts.collect.parsing import parse_instant
from scoring.lifecycle import stages
from scoring.projection import scores
from workflows import wording
from workflows.journey_tests.document import Moment
from workflows.models import Enrolment
from workflows.models.enrolment import FINISHED

CLOSE_ENOUGH = 0.005  # of a score, which people write with two decimals


@dataclass(frozen=True)
class Answer:
    holds: bool
    expected: str
    found: str


def ask(check: Moment, *, slug: str, people: Mapping[str, int], now: datetime) -> Answer:
    """What the check finds, as things stand."""
    name = str(check.said.get("contact") or "")
    if name and name not in people:
        return Answer(False, f"{name} is there", "there is no such contact yet")
    asked = _Asked(check.said, name, people.get(name, 0), check.said.get("workflow", slug), now)
    return _CHECKS[check.kind](asked)


@dataclass(frozen=True)
class _Asked:
    said: Mapping[str, Any]
    name: str
    contact_id: int
    slug: str
    now: datetime

    def latest(self) -> Enrolment | None:
        """The contact's latest enrolment in the workflow."""
        mine = Enrolment.objects.filter(contact_id=self.contact_id, workflow__slug=self.slug)
        return mine.order_by("-id").first()


_MESSAGES = """
    SELECT s.state, s.reason FROM messages m
      JOIN message_states s ON s.message_id = m.id
      JOIN template_versions v ON v.id = m.template_version_id
      JOIN templates t ON t.id = v.template_id
     WHERE m.contact_id = %s AND t.slug = %s ORDER BY m.id
"""


def _messages(asked: _Asked) -> list[tuple[str, str]]:
    with connection.cursor() as cursor:
        cursor.execute(_MESSAGES, [asked.contact_id, asked.said["template"]])
        return cursor.fetchall()


def _listed(messages: list[tuple[str, str]]) -> str:
    if not messages:
        return "no message of it was made"
    return "; ".join(f"{state} ({wording.refusal(reason)})" if reason else state for state, reason in messages)


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def _sent(asked: _Asked) -> Answer:
    messages = _messages(asked)
    wanted, count = asked.said.get("times", 1), sum(state == "accepted" for state, _ in messages)
    expected = f"{asked.said['template']} was sent to {asked.name} {_times(wanted)}"
    return Answer(count == wanted, expected, f"it was sent {_times(count)} ({_listed(messages)})")


def _not_sent(asked: _Asked) -> Answer:
    messages = _messages(asked)
    count = sum(state == "accepted" for state, _ in messages)
    expected = f"{asked.said['template']} was not sent to {asked.name}"
    return Answer(count == 0, expected, f"it was sent {_times(count)} ({_listed(messages)})")


def _suppressed(asked: _Asked) -> Answer:
    messages = _messages(asked)
    reason = asked.said["reason"]
    expected = f"{asked.said['template']} to {asked.name} was held back because of {reason}"
    return Answer(("suppressed", reason) in messages or ("capped", reason) in messages, expected, _listed(messages))


def _enrolment(asked: _Asked) -> Answer:
    row, said = asked.latest(), asked.said
    expected = f"{asked.name} in {asked.slug}: " + ", ".join(
        f"{name} {said[name] or 'none'}" for name in ("state", "step", "reason") if name in said
    )
    if row is None:
        nobody = set(said) <= {"contact", "workflow", "state", "step"} and said.get("state") is None
        return Answer(nobody and said.get("step") is None, expected, "never entered")
    finished = row.state in FINISHED
    found = f"state {row.state}, " + (f"finished at step {row.step}" if finished else f"step {row.step}")
    found += f", reason {row.exit_reason}" if row.exit_reason else ""
    # who is through stands at no step; naming the one where it ended is right as well
    steps = {None, row.step} if finished else {row.step}
    holds = (
        ("state" not in said or said["state"] == row.state)
        and ("step" not in said or said["step"] in steps)
        and ("reason" not in said or said["reason"] == row.exit_reason)
    )
    return Answer(holds, expected, found)


def _wake(asked: _Asked) -> Answer:
    row = asked.latest()
    wanted = asked.said["at"] and parse_instant(asked.said["at"])
    wake_at = row.wake_at if row is not None and row.state == "waiting" else None
    expected = f"{asked.name} waits until {shown(wanted)}" if wanted else f"{asked.name} does not wait"
    found = f"waits at step {row.step} until {shown(wake_at)}" if row and wake_at else "does not wait"
    return Answer(wake_at == wanted, expected, found)


def shown(at: Any) -> str:
    """An instant as people read it, to the second where that says all."""
    if not isinstance(at, datetime):
        return "never"
    spec = "microseconds" if at.microsecond else "seconds"
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(" ", spec) + " UTC"


def _tag(asked: _Asked) -> Answer:
    wanted, tag = asked.said.get("present", True), asked.said["tag"]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT t.name FROM contact_tags c JOIN tags t ON t.id = c.tag_id WHERE c.contact_id = %s ORDER BY 1",
            [asked.contact_id],
        )
        found = [name for (name,) in cursor.fetchall()]
    expected = f"{asked.name} has {'' if wanted else 'not '}the tag {tag}"
    return Answer((tag in found) == wanted, expected, f"tags: {', '.join(found) or 'none'}")


def _stage(asked: _Asked) -> Answer:
    stage = stages.current_stages([asked.contact_id]).get(asked.contact_id) or None
    wanted = asked.said["stage"] or None
    return Answer(stage == wanted, f"{asked.name} has the stage {wanted or 'none'}", f"stage: {stage or 'none'}")


def _score(asked: _Asked) -> Answer:
    score = scores.of(contact_ids=[asked.contact_id], at=asked.now).get(asked.contact_id, 0.0)
    wanted = asked.said["value"]
    return Answer(abs(score - wanted) < CLOSE_ENOUGH, f"{asked.name} has the score {wanted:g}", f"score: {score:g}")


def _count(asked: _Asked) -> Answer:
    mine = Enrolment.objects.filter(workflow__slug=asked.slug)
    if asked.name:
        mine = mine.filter(contact_id=asked.contact_id)
    count, wanted = mine.count(), asked.said["enrolments"]
    whose = f" of {asked.name}" if asked.name else ""
    return Answer(count == wanted, f"{wanted} enrolments{whose} in {asked.slug}", f"{count} enrolments")


_CHECKS: Mapping[str, Callable[[_Asked], Answer]] = {
    "sent": _sent,
    "not_sent": _not_sent,
    "suppressed": _suppressed,
    "enrolment": _enrolment,
    "wake": _wake,
    "tag": _tag,
    "stage": _stage,
    "score": _score,
    "count": _count,
}
