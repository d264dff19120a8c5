"""Schemathesis against a live server and the document that it serves: requests that the document allows and requests
that it forbids, and every answer held against what the document says of it. All of its checks are on.

What it makes up cannot know what a document cannot say (that a list exists, that a text is a condition), so it is not
held against us that such a request is refused as 400, 412, 413 or 422."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import schemathesis
from schemathesis import engine
from schemathesis.core.parameters import ParameterLocation
from schemathesis.engine import events
from schemathesis.generation.meta import TestPhase
from schemathesis.hooks import unregister_all

from contacts import idempotency
from tests.rest.objects import Objects

DOCUMENT = "/api/v1/schema/?format=json"
PHASES = ("examples", "coverage", "fuzzing", "stateful")
REFUSED = ["2xx", "3xx", 400, 401, 403, 404, 405, 409, 412, 413, 422, 429]
LENIENT = "negative_data_rejection"
KNOWN_OF_TEN = 8  # of ten requests so many name an object that is there


@dataclass
class Outcome:
    """`cases`: requests, and `by_phase` of each. `failures`: operation and check -> the first words of what failed.
    `lenient`: where a request was taken that the document forbids, each with all that were."""

    cases: int = 0
    by_phase: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    failures: dict[tuple[str, str], str] = field(default_factory=dict)
    lenient: dict[str, set[str]] = field(default_factory=dict)


def run(address: str, objects: Objects, *, examples: int, walks: int, phases: tuple[str, ...], seed: int) -> Outcome:
    """`examples`: of each operation, at most. `walks`: from one operation to the next, with what the one answered.
    `phases`: some of PHASES."""
    settings: dict[str, Any] = {name: {"enabled": name in phases} for name in PHASES}
    settings["coverage"]["unexpected-methods"] = []  # test_contract_routes.py asks for each
    settings["stateful"]["generation"] = {"max-examples": walks}
    config = schemathesis.Config.from_dict(
        {
            "seed": seed,
            "continue-on-failure": True,
            "workers": 1,
            "headers": {"Authorization": f"Bearer {objects.key}"},
            "generation": {"max-examples": examples, "no-shrink": True, "database": "none"},
            "phases": settings,
            "checks": {
                "positive_data_acceptance": {"expected-statuses": REFUSED},
                "negative_data_rejection": {"expected-statuses": [each for each in REFUSED if each != "2xx"]},
            },
        }
    )
    schema = schemathesis.openapi.from_url(f"{address}{DOCUMENT}", config=config)
    outcome = Outcome()
    schemathesis.hook(_naming(objects, random.Random(seed)))
    try:
        for event in engine.from_schema(schema).execute():
            if isinstance(event, events.ScenarioFinished):
                _note(outcome, event.phase.value, event.recorder)
            elif isinstance(event, events.NonFatalError | events.FatalError):
                outcome.failures[str(getattr(event, "label", "")), "error"] = str(getattr(event, "info", event))
    finally:
        unregister_all()
    return outcome


def _naming(objects: Objects, dice: random.Random) -> Callable[..., None]:
    """Puts ids of what is there into paths, an Idempotency-Key of its own into each request that has one, and the other
    kind of key into requests of the tracking API."""
    numbers = count()

    def before_call(context: Any, case: Any, kwargs: Any) -> None:
        path = case.operation.path
        if case.headers and idempotency.HEADER in case.headers and not _is_wrong(case, ParameterLocation.HEADER):
            case.headers[idempotency.HEADER] = f"request {next(numbers)}"  # of two with one key the other is a 409
        if not path.startswith("/api/"):
            case.headers = {**(case.headers or {}), "Authorization": f"Bearer {objects.write_key}"}
            return
        if _is_wrong(case, ParameterLocation.PATH) or (case.meta and case.meta.phase.name is TestPhase.STATEFUL):
            return
        for name in case.path_parameters or {}:
            known = objects.of(path, name)
            if known and dice.randrange(10) < KNOWN_OF_TEN:
                case.path_parameters[name] = dice.choice(known)

    return before_call


def _is_wrong(case: Any, location: ParameterLocation) -> bool:
    said = case.meta.components.get(location) if case.meta else None
    return said is not None and said.mode.is_negative


def _note(outcome: Outcome, phase: str, recorder: Any) -> None:
    outcome.cases += len(recorder.interactions)
    outcome.by_phase[phase] += len(recorder.interactions)
    for interaction in recorder.interactions.values():
        if interaction.response is not None:
            outcome.statuses[interaction.response.status_code] += 1
    for checks in recorder.checks.values():
        for check in checks:
            if check.failure_info is not None:
                failure = check.failure_info.failure
                said = f"{failure.title}: {failure.message}\n{check.failure_info.code_sample}"
                if check.name == LENIENT:
                    outcome.lenient.setdefault(recorder.label, set()).add(said)
                else:
                    outcome.failures.setdefault((recorder.label, check.name), said)
