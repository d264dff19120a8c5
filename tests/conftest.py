"""What every test may ask for. Real PostgreSQL and Redis; each run has its own database and Redis prefix."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Generator, Iterator
from datetime import UTC, datetime
from importlib import import_module

import pytest
from django.db import connection, transaction
from django.test import TransactionTestCase
from django.test.utils import override_settings
from hypothesis import HealthCheck
from hypothesis import settings as examples

from contacts import redis_index
from tests import canaries, migrated_once, own_database, races, remembered

# `bin/test --hypothesis-profile full --timeout 0 tests/scoring`: the proofs that name no number of examples, at length
examples.register_profile("full", max_examples=2000, deadline=None)
# Hypothesis' own deadline is 0.2 s an example: on a busy machine the first of all, which loads things, fails it.
examples.register_profile("house", parent=examples(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
examples.load_profile("house")

FIRST_CONTACT = 4001  # no number that rows of other tables have, so that taking one for the other is noticed


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """After every race, before its rows are deleted, the counters are recounted: no test has to ask for it, so none is
    forgotten. What a test writes behind the doors it counts first, with `rebuild.replace()`, as the drills do."""
    with races.Race() as race:
        result = yield
    # a page that a browser looks at is no race: the server has its connection, and the test waits for it
    if race.happened and "live_server" not in getattr(item, "fixturenames", ()):
        races.recount()
    return result


@pytest.fixture(autouse=True)
def _own_redis_prefix(settings):
    """Nothing that a test leaves in Redis meets another test or a running installation."""
    settings.REDIS_PREFIX = f"test:{os.getpid()}:"
    yield
    client = redis_index.connection()
    keys = list(client.scan_iter(match=f"test:{os.getpid()}:*", count=1000))
    if keys:
        client.delete(*keys)


@pytest.fixture(scope="session", autouse=True)
def _pages() -> None:
    """Every page is registered, whichever test comes first (docs/decisions/0058)."""
    import_module("config.urls")


@pytest.fixture(scope="session", autouse=True)
def _migrated_once() -> Iterator[None]:
    with migrated_once.copying():
        yield


@pytest.fixture(scope="session", autouse=True)
def _quick_passwords() -> Iterator[None]:
    """A million rounds at every account and every log-in are half a second each, and nothing is learnt from them."""
    with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"]):
        yield


@pytest.fixture(scope="session")
def _listener() -> Iterator[canaries.Listener]:
    """Hears what anybody logs, whatever a test does to the loggers of the house."""
    listener = canaries.Listener()
    yield listener
    logging.getLogger().removeHandler(listener)


@pytest.fixture(autouse=True)
def _no_log_says_who(_listener: canaries.Listener) -> Iterator[None]:
    """No address of anybody and no secret in any line that any test brings about."""
    _listener.said.clear()
    logging.getLogger().addHandler(_listener)  # whoever sets logging up anew takes it away: Celery does, by a page
    yield
    assert not _listener.said, "\n".join(_listener.said)


@pytest.fixture(autouse=True)
def _the_same_people(request: pytest.FixtureRequest) -> None:
    """Variants, rollouts and holdouts go by a contact's number. Were the numbers those that the tests before have left,
    then once in two thousand runs all twelve people of a test would be given the same variant."""
    if request.node.get_closest_marker("django_db") or {"db", "transactional_db"} & set(request.fixturenames):
        request.getfixturevalue("_django_db_helper")
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT setval('contacts_id_seq', %s, false) WHERE NOT EXISTS (SELECT FROM contacts)", [FIRST_CONTACT]
            )


@pytest.fixture
def now() -> datetime:
    """A fixed instant for everything that takes the clock as an argument."""
    return datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _no_bells(monkeypatch, request):
    """Doorbells are silent unless a test asks to hear them: rows are the work, and tests take it themselves."""
    if "bells" not in request.fixturenames:
        monkeypatch.setattr("contacts.doorbell.ring", lambda task, lane: None)
        monkeypatch.setattr("contacts.doorbell.ring_at", lambda task, lane, instants: None)


@pytest.fixture(scope="session", autouse=True)
def _tables_are_emptied_where_they_were_filled():
    """After a test that really commits, Django empties every table there is, and writes its permissions anew: a third
    of a second. Most tests fill five."""
    whole = TransactionTestCase._fixture_teardown
    TransactionTestCase._fixture_teardown = _empty_what_was_filled  # type: ignore[method-assign]
    yield
    TransactionTestCase._fixture_teardown = whole  # type: ignore[method-assign]


def _empty_what_was_filled(self: TransactionTestCase) -> None:
    """TRUNCATE makes every file of a table and its indexes anew, and of its partitions: ten milliseconds each. A few
    rows are sooner deleted, with the triggers asleep, which refuse that; only a superuser may do so."""
    own_database.insist()
    with connection.cursor() as cursor, transaction.atomic():
        filled = remembered.filled()
        if remembered.may_silence_triggers():
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute("SET LOCAL statement_timeout = 0")
            for name in filled:
                cursor.execute(f"DELETE FROM {name}")
        elif filled:
            cursor.execute(f"TRUNCATE {', '.join(filled)} CASCADE")


@pytest.fixture(scope="session")
def browser() -> Iterator[object]:
    """Chromium, one for all tests of a process: Playwright's door for code that waits runs a loop in this thread, and
    there can be one. From here on the ORM must not mind."""
    sync_api = pytest.importorskip("playwright.sync_api")
    # The shell is the same browser without its own window, tabs and bars, which nobody sees: a quarter of the work.
    names = ("chromium-headless-shell", "chromium", "chromium-browser")
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if path is None:
        pytest.skip("there is no Chromium here (set CHROMIUM to its path)")
    os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield chromium
        chromium.close()
