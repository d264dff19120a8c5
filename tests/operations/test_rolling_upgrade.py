"""Old workers beside a new web: what the last version reads and writes works with the tables of this one, so processes
can be exchanged one after the other. The old code itself is not run: its models are, and what PostgreSQL would refuse
of it is compared. What needs everything to stop is an exception, and the CHANGELOG says how to go about it."""

import copy
import json
import os
import subprocess
import sys

import psycopg
import pytest
from django.db import connection

from tests.operations.deployed import ROOT

# Where the last version ended; set anew at every release.
LAST = {
    "analytics": "0005_counters_of_a_workflows_days",
    "contacts": "0012_seals_of_the_audit_log",
    "delivery": "0010_outgoing_webhooks",
    "scoring": "0007_stages_so_far",
    "workflows": "0011_people_of_a_journey",
}
# A sentence of `broken`, and the words by which "Upgrading" in CHANGELOG.md tells of it.
EXCEPTIONS: dict[str, str] = {}


def broken(before, after):
    """What old code would stumble over, a sentence each."""
    found = []
    for table, columns in before["columns"].items():
        now = after["columns"].get(table)
        if now is None:
            found.append(f"{table} is gone")
            continue
        for column, (kind, needed, filled) in columns.items():
            if column not in now:
                found.append(f"{table}.{column} is gone")
            elif now[column][0] != kind:
                found.append(f"{table}.{column} was {kind} and is {now[column][0]}")
            elif now[column][1] and not needed:
                found.append(f"{table}.{column} may not be empty any more")
            elif filled and not now[column][2] and now[column][1]:
                found.append(f"{table}.{column} is not filled by itself any more")
        for column in now.keys() - columns.keys():
            if now[column][1] and not now[column][2]:
                found.append(f"{table}.{column} is new, and old code would leave it empty")
        new = set(after["refusals"].get(table, [])) - set(before["refusals"].get(table, []))
        found += [f"{table} has {name}, which may refuse what old code writes" for name in sorted(new)]
    return found


@pytest.mark.django_db
@pytest.mark.timeout(240)
def test_old_code_goes_on_with_new_tables():
    database = connection.settings_dict
    server = f"postgres://{database['USER']}:{database['PASSWORD']}@{database['HOST']}:{database['PORT']}"
    name = f"test_upgrade_{os.getpid()}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as session:
        session.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        try:
            done = subprocess.run(
                [sys.executable, "-m", "tests.operations.upgrading", json.dumps(LAST)],
                cwd=ROOT,
                env=os.environ | {"DATABASE_URL": f"{server}/{name}", "DJANGO_SETTINGS_MODULE": "config.settings"},
                capture_output=True,
                text=True,
                check=False,
            )
        finally:
            session.execute(f"DROP DATABASE {name} WITH (FORCE)")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["unread"] == []
    assert len(found["before"]["columns"]) > 60
    assert set(broken(found["before"], found["after"])) == set(EXCEPTIONS)


def test_an_exception_is_told_of():
    upgrading = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").partition("### Upgrading")[2]
    assert [words for words in EXCEPTIONS.values() if words not in upgrading] == []


BEFORE = {"columns": {"outbox": {"id": ["bigint", True, True], "lane": ["text", False, False]}}, "refusals": {}}


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"lane": None}, "outbox.lane is gone"),
        ({"lane": ["integer", False, False]}, "outbox.lane was text and is integer"),
        ({"lane": ["text", True, True]}, "outbox.lane may not be empty any more"),
        ({"id": ["bigint", True, False]}, "outbox.id is not filled by itself any more"),
        ({"channel": ["text", True, False]}, "outbox.channel is new, and old code would leave it empty"),
        ({"channel": ["text", True, True]}, None),
        ({"channel": ["text", False, False]}, None),
    ],
)
def test_a_column_that_old_code_would_stumble_over_is_found(columns, sentence):
    after = copy.deepcopy(BEFORE)
    outbox = after["columns"]["outbox"] | columns
    after["columns"]["outbox"] = {name: column for name, column in outbox.items() if column}
    assert broken(BEFORE, after) == ([sentence] if sentence else [])


def test_a_table_that_is_gone_or_refuses_more_is_found_and_a_new_one_is_not():
    after = copy.deepcopy(BEFORE)
    after["columns"]["letters"], after["refusals"]["letters"] = {"id": ["bigint", True, False]}, ["one_letter"]
    assert broken(BEFORE, after) == []
    after["refusals"]["outbox"] = ["one_lane"]
    assert broken(BEFORE, after) == ["outbox has one_lane, which may refuse what old code writes"]
    del after["columns"]["outbox"]
    assert broken(BEFORE, after) == ["outbox is gone"]
