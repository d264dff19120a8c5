"""Test files in a call: a small journey, and what becomes of its cases."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.db import connection

from workflows import scratch
from workflows.journey_tests import document, running
from workflows.journey_tests.running import Outcome

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)

WORKFLOW: dict[str, Any] = {
    "schema": 1,
    "name": "Welcome",
    "slug": "welcome",
    "entry": {"trigger": {"type": "event", "event": "signed_up"}, "re_entry": {"policy": "after_exit"}},
    "start": "hello",
    "steps": {
        "hello": {"type": "send_email", "config": {"template": "hello"}, "next": {"next": "settle"}},
        "settle": {"type": "wait", "config": {"mode": "duration", "for": "PT2H"}, "next": {"next": "mark"}},
        "mark": {"type": "add_tag", "config": {"tag": "welcomed"}, "next": {"next": "again"}},
        "again": {"type": "send_email", "config": {"template": "again"}, "next": {"next": "lead"}},
        "lead": {"type": "change_lifecycle_stage", "config": {"to": "lead"}, "next": {"next": None}},
    },
}
ADA = {"id": "ada", "email": "ada@example.com", "timezone": "Europe/Berlin", "attributes": {"plan": "trial"}}
BOB = {"id": "bob", "email": "bob@example.com"}


def at(clock: str, **moment: Any) -> dict[str, Any]:
    """`at("09:00", track={…})`: of 3 March 2025."""
    return {"at": f"2025-03-03T{clock}:00Z", **moment}


def case(*moments: dict[str, Any], name: str = "case") -> dict[str, Any]:
    """Deeds and checks in one list, told apart by their names."""
    kinds = [next(key for key in moment if key != "at") for moment in moments]
    return {
        "name": name,
        "when": [m for m, kind in zip(moments, kinds, strict=True) if kind in document.DEEDS or kind == document.TICK],
        "then": [m for m, kind in zip(moments, kinds, strict=True) if kind in document.CHECKS],
    }


def signed_up(clock: str = "09:00", contact: str = "ada", **more: Any) -> dict[str, Any]:
    return at(clock, track={"contact": contact, "type": "signed_up", **more})


def play(*cases: dict[str, Any], **parts: Any) -> list[Outcome]:
    """The outcomes of these cases; `parts` replace parts of the file."""
    found = document.understand({"workflow": WORKFLOW, "contacts": [ADA, BOB], "cases": list(cases), **parts})
    with scratch.open_scratch(now=LONG_AGO) as room:
        return list(running.run(found, room))


def workflow(steps: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {**WORKFLOW, "start": next(iter(steps)), "steps": steps, **changes}


def failures(outcome: Outcome) -> list[str]:
    """What does not hold, with what was found; and what ended the case."""
    found = [f"{each.place}.{each.kind}: {each.answer.found}" for each in outcome.checked if not each.answer.holds]
    return [*found, *([outcome.error] if outcome.error else [])]


def database_url() -> str:
    """The address of the database of the tests, for a child."""
    given = connection.settings_dict
    address = f"{given['HOST']}:{given['PORT']}" if given["PORT"] else given["HOST"]
    user = f"{given['USER']}:{given['PASSWORD']}" if given["PASSWORD"] else given["USER"]
    return f"postgres://{user}@{address}/{given['NAME']}"
