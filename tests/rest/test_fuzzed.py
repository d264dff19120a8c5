"""Whatever is sent to the API, the answer is one that its document tells of. `REST_CASES=20000 bin/test
tests/rest/test_fuzzed.py --timeout 0` sends so many requests."""

from __future__ import annotations

import os

import pytest
from django.db import connection

from contacts import clock
from tests.rest import fuzzing
from tests.rest.objects import furnish_all

OPERATIONS = 158  # about: the number of requests to each follows from it
CASES = int(os.environ.get("REST_CASES", "1000"))
SEED = int(os.environ.get("REST_SEED", "9"))


@pytest.mark.timeout(600)
@pytest.mark.django_db(transaction=True)
def test_the_api_answers_as_its_document_says(live_server, settings):
    settings.API_REQUESTS_PER_MINUTE = 10**9
    objects = furnish_all(clock.now())
    outcome = fuzzing.run(
        live_server.url, objects, examples=max(1, CASES // OPERATIONS), phases=("fuzzing",), seed=SEED
    )
    with connection.cursor() as cursor:  # of threads of the server that still send what nobody reads
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    print(outcome.cases, sorted(outcome.statuses.items()))
    for (operation, check), said in sorted((outcome.failures | outcome.lenient).items()):
        print(f"\n## {operation} | {check} | {said[:1500]}")
    assert outcome.cases >= CASES * 0.7
    assert not [status for status in outcome.statuses if status >= 500]
    assert sorted(outcome.failures) == []
    # the framework reads a number as a text where a text is wanted, and an empty filter as none
    assert len(outcome.lenient) <= OPERATIONS // 20, outcome.lenient
