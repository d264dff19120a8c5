"""What lies in the broker says nothing of anybody, and whoever can write to it gains nothing: a task takes the name of
a lane and looks for rows."""

from __future__ import annotations

import ast
import inspect
from contextlib import suppress
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from config.celery import app
from config.lanes import LANES
from contacts import doorbell
from tests.contacts.privacy import life
from tests.house.test_regexes import FLOORS

ROOT = Path(settings.BASE_DIR)
TO_THE_WORLD = {"analytics.build_warehouse", "delivery.check_domains"}  # dbt, and name servers
TAKEN = {"lane", "hours"}  # `hours`: how far a look back reaches, of one task of the beat


def own_tasks() -> dict[str, object]:
    app.autodiscover_tasks(force=True)  # not by the loader: that would set the logging up anew
    return {name: task for name, task in app.tasks.items() if name.split(".")[0] in FLOORS}


def test_a_task_takes_the_name_of_a_lane_and_nothing_else_that_matters():
    tasks = own_tasks()
    assert len(tasks) > 30
    for name, task in tasks.items():
        taken = inspect.signature(task.run).parameters.values()
        assert {each.name for each in taken if each.kind is not inspect.Parameter.VAR_KEYWORD} <= TAKEN, name


def test_one_door_alone_sends_tasks_and_it_sends_the_name_of_a_lane():
    places = []
    for floor in FLOORS:
        for path in sorted((ROOT / floor).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                    name = node.func.attr
                    if name in {"send_task", "apply_async", "signature", "delay", "s", "si"} and _is_celerys(node):
                        places.append(f"{path.relative_to(ROOT)} {ast.unparse(node)}")
    assert len(places) == 1 and places[0].startswith("contacts/doorbell.py"), places
    assert "kwargs={'lane': lane}" in places[0]


def _is_celerys(node: ast.Call) -> bool:
    """`Happening.delay()` is a duration of ours: it takes nothing, and a task would be given something."""
    return bool(node.args or node.keywords)


def test_the_beat_rings_with_lanes_and_numbers():
    for name, entry in settings.CELERY_BEAT_SCHEDULE.items():
        assert not entry.get("args"), name
        said = entry.get("kwargs", {})
        assert set(said) <= TAKEN, name
        assert said.get("lane", LANES[0]) in LANES and isinstance(said.get("hours", 1.0), float | int), name


@pytest.fixture
def bells(monkeypatch):
    """The real doorbell, and what Celery is given by it."""
    heard = []
    app.set_current()  # a test of the rig may have made an application of its own, which is the current one since
    monkeypatch.setattr(app, "send_task", lambda name, **said: heard.append((name, said)))
    monkeypatch.setitem(doorbell._silence, "until", 0.0)
    return heard


@pytest.mark.django_db(transaction=True)
def test_nothing_of_a_person_and_no_secret_is_in_any_task_that_their_life_brings_about(bells):
    """A life that touches every part of the house, and every bell that rings meanwhile."""
    life.live()
    assert len({name for name, _ in bells}) > 5
    for name, said in bells:
        assert name in own_tasks()
        assert not said.get("args")
        assert set(said["kwargs"]) == {"lane"} and said["kwargs"]["lane"] in LANES, name


@pytest.mark.django_db
@pytest.mark.parametrize("lane", ["no such lane", "'; DROP TABLE contacts; --", "x" * 10_000])
def test_a_task_that_somebody_slipped_into_the_broker_finds_no_work(lane):
    """With any lane, and whatever else is said: rows are the work, and there are none."""
    with CaptureQueriesContext(connection) as asked:
        for name, task in own_tasks().items():
            if name not in TO_THE_WORLD and "lane" in inspect.signature(task.run).parameters:
                with suppress(KeyError):  # a queue that there is not
                    task.run(lane=lane, contact_id=7, condition={"all": []}, url="http://169.254.169.254/")
    said = "\n".join(each["sql"] for each in asked)
    assert "169.254" not in said and "INSERT INTO contacts" not in said and "INSERT INTO messages" not in said
    assert "DROP TABLE contacts; --" not in said.replace("''; DROP", "")
