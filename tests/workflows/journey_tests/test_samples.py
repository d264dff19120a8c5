"""The journeys that come with the product carry their own tests, and these hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from tests.workflows.journey_tests.playing import LONG_AGO, failures
from workflows import scratch
from workflows.journey_tests import document, running

SAMPLES = sorted((Path(settings.BASE_DIR) / "workflows" / "samples").glob("*.yaml"))


def _read(path: Path) -> document.Document:
    return document.read(path.read_text(encoding="utf-8"))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_every_case_of_a_sample_holds(path: Path) -> None:
    found = _read(path)
    assert found.cases, "a sample shows how a journey is tested"
    with scratch.open_scratch(now=LONG_AGO) as room:
        outcomes = list(running.run(found, room))
    assert {outcome.name: failures(outcome) for outcome in outcomes} == {case.name: [] for case in found.cases}


def test_between_them_they_show_every_deed_and_every_check() -> None:
    moments: list[Any] = [
        moment for path in SAMPLES for case in _read(path).cases for moment in (*case.when, *case.then)
    ]
    assert {moment.kind for moment in moments} == {*document.DEEDS, document.TICK, *document.CHECKS}
