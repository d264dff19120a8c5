"""`manage.py test_workflow` as people and CI run it: a process of its own, which need not load its code each time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.nursery import Nursery
from tests.workflows.journey_tests.playing import ADA, BOB, WORKFLOW, at, case, database_url, signed_up

pytestmark = pytest.mark.django_db(transaction=True)
SENT = {"contact": "ada", "template": "hello", "times": 1}


_nursery: list[Nursery] = []


@pytest.fixture(scope="module", autouse=True)
def _open(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    environment = {**os.environ, "DATABASE_URL": database_url()}
    with Nursery(environment, tmp_path_factory.mktemp("nursery") / "log") as nursery:
        _nursery.append(nursery)
        yield
        _nursery.clear()


def _run(*args: str, text: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "manage.py", "test_workflow", *args]
    with (
        tempfile.TemporaryFile("w+") as given,
        tempfile.TemporaryFile("w+") as out,
        tempfile.TemporaryFile("w+") as err,
    ):
        given.write(text)
        given.seek(0)
        child = _nursery[0].start(command, out.fileno(), error=err.fileno(), given=given.fileno())
        try:
            status = child.wait(100)
        finally:
            child.kill()
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(command, status, out.read(), err.read())


@pytest.fixture
def file(tmp_path: Path) -> Any:
    def write(*cases: dict[str, Any], **parts: Any) -> str:
        path = tmp_path / "journey.yaml"
        document = {"workflow": WORKFLOW, "contacts": [ADA, BOB], "cases": list(cases), **parts}
        path.write_text(yaml.safe_dump(document), encoding="utf-8")
        return str(path)

    return write


def test_it_ends_with_0_where_every_check_holds(file: Any) -> None:
    done = _run(file(case(signed_up(), at("09:00", sent=SENT), name="a hello")))
    assert done.returncode == 0
    assert "passed  a hello  (1 check, " in done.stdout
    assert "1 of 1 cases passed" in done.stdout


def test_it_ends_with_1_where_one_does_not_and_tells_expected_found_and_the_way_there(file: Any) -> None:
    wrong = case(signed_up(), at("10:00", tag={"contact": "ada", "tag": "welcomed", "present": True}), name="too early")
    done = _run(file(case(signed_up(), at("09:00", sent=SENT), name="fine"), wrong))
    assert done.returncode == 1
    assert "FAILED  too early" in done.stdout
    told = done.stdout.split("FAILED")[1]
    assert "cases[1].then[0].tag at 2025-03-03 10:00:00 UTC" in told
    assert "expected: ada has the tag welcomed" in told
    assert "found:    tags: none" in told
    for line in ("did signed_up", "entered welcome version 1", "step settle: Began to wait", "message hello: accepted"):
        assert f"2025-03-03 09:00:00 UTC  {line}" in told
    assert "1 of 2 cases passed" in done.stdout


def test_one_case_by_its_name(file: Any) -> None:
    path = file(case(signed_up(), name="one"), case(signed_up(), name="two"))
    assert "1 of 1 cases passed" in _run(path, "--case", "two").stdout
    unknown = _run(path, "--case", "three")
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert "there is no case 'three'; there are 'one', 'two'" in unknown.stderr


def test_json_is_one_object_a_line(file: Any) -> None:
    done = _run(file(case(signed_up(), at("09:00", sent={**SENT, "times": 2}), name="twice")), "--json")
    first, summary = map(json.loads, done.stdout.splitlines())
    assert (first["case"], first["passed"], first["error"]) == ("twice", False, None)
    assert first["checks"][0]["check"] == "sent"
    assert first["checks"][0]["holds"] is False
    assert any("entered welcome" in line for line in first["checks"][0]["trace"])
    assert (summary["cases"], summary["passed"]) == (1, 0)
    assert done.returncode == 1


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"cases": []}, "cases: there are none"),
        ({"contacts": [{"id": "ada", "email": "nowhere"}]}, "contacts[0].email: "),
        ({"workflow": {**WORKFLOW, "start": "nowhere"}}, "error: workflow: start: there is no step 'nowhere'"),
        ({"templates": [{"slug": "hello", "html": "{{#open"}]}, "templates[0].html: "),
        ({"segments": [{"slug": "a", "condition": {"in_segment": "b"}}]}, "segments[0].condition.in_segment: "),
        ({"rules": [{"name": "a"}]}, "rules[0].points: "),
    ],
)
def test_an_unusable_file_ends_with_2_and_says_where(file: Any, parts: dict[str, Any], said: str) -> None:
    done = _run(file(*parts.pop("cases", [case(signed_up())]), **parts))
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_that_is_not_there_ends_with_2(tmp_path: Path) -> None:
    done = _run(str(tmp_path / "none.yaml"))
    assert (done.returncode, "cannot read" in done.stderr) == (2, True)


def test_standard_input_is_read_as_well() -> None:
    document = {"workflow": WORKFLOW, "contacts": [ADA], "cases": [case(signed_up())]}
    assert _run("-", text=json.dumps(document)).returncode == 0
