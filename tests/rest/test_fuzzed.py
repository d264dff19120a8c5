"""Whatever is sent to the API, the answer is one that its document tells of. `REST_CASES=20000 bin/test
tests/rest/test_fuzzed.py --timeout 0` sends so many requests made up by chance, and each value of each field at its
limits and beyond them (six thousand more, by no chance: the phase `coverage`, also by `REST_PHASES=coverage`)."""

from __future__ import annotations

import os

import pytest
from django.core.servers.basehttp import WSGIRequestHandler
from django.db import connection

from contacts import clock
from tests.rest import fuzzing
from tests.rest.objects import furnish_all
from tests.rest.test_openapi import document

CASES = int(os.environ.get("REST_CASES", "400"))
SEED = int(os.environ.get("REST_SEED", "9"))
AT_LENGTH = 10_000
USUAL = "examples,fuzzing,stateful" if CASES < AT_LENGTH else ",".join(fuzzing.PHASES)
PHASES = tuple(os.environ.get("REST_PHASES", USUAL).split(","))

# operation -> why it takes what its document forbids
TAKEN_ALL_THE_SAME: dict[str, str] = {}


@pytest.mark.timeout(0 if CASES >= AT_LENGTH or "coverage" in PHASES else 600)
@pytest.mark.django_db(transaction=True)
def test_the_api_answers_as_its_document_says(live_server, settings, monkeypatch):
    # an answer goes out in two pieces: the second one would wait 40 ms until the client acknowledges the first
    monkeypatch.setattr(WSGIRequestHandler, "disable_nagle_algorithm", True)
    settings.API_REQUESTS_PER_MINUTE = 10**9
    objects = furnish_all(clock.now())
    each = max(1, CASES // sum(len(item) for item in document()["paths"].values()))
    outcome = fuzzing.run(
        live_server.url, objects, examples=each, walks=max(1, min(CASES // 20, 200)), phases=PHASES, seed=SEED
    )
    with connection.cursor() as cursor:  # of threads of the server that still send what nobody reads
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    print(outcome.cases, dict(outcome.by_phase), sorted(outcome.statuses.items()))
    for (operation, check), said in sorted(outcome.failures.items()):
        print(f"\n## {operation} | {check} | {said[:1500]}")
    for operation, all_said in sorted(outcome.lenient.items()):
        print(f"\n## {operation} | taken | " + "\n".join(sorted(all_said)))
    assert {name for name, number in outcome.by_phase.items() if number} >= set(PHASES) - {"examples"}  # it has none
    assert "fuzzing" not in PHASES or outcome.by_phase["fuzzing"] >= CASES * 0.7
    assert not [status for status in outcome.statuses if status >= 500]
    assert sorted(outcome.failures) == []
    assert outcome.lenient.keys() - TAKEN_ALL_THE_SAME.keys() == set(), outcome.lenient
