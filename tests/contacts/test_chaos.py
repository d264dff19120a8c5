"""Points and mutants: nothing at all in an installation, exactly what was planned in a drill."""

import os
import signal
import subprocess
import sys
import time

import pytest
from django.conf import settings

from contacts import chaos
from contacts.chaos import Action, BadChaos, BarrierNotOpened


def python(code: str, **env: str) -> subprocess.CompletedProcess:
    """Run `code` in a process of its own, as the environment is read at import."""
    return subprocess.run(
        [sys.executable, "-c", f"from contacts import chaos\n{code}"],
        cwd=settings.BASE_DIR,
        env={"PATH": os.environ["PATH"], **env},
        capture_output=True,
        text=True,
        timeout=30,
    )


def test_without_the_environment_variable_a_point_finds_nothing_to_do():
    done = python("print(chaos._plan.actions, chaos.point('engine.claimed'), chaos.mutant('engine.no_claim'))")
    assert done.stdout.strip() == "{} None False"


def test_a_mutant_is_refused_outside_a_drill():
    code = "print(chaos.mutant('engine.no_claim'), chaos.mutant('another'))"
    assert python(code, CARILLON_MUTANT="engine.no_claim").stdout.strip() == "False False"
    assert python(code, CARILLON_MUTANT="engine.no_claim", CARILLON_CHAOS="on").stdout.strip() == "True False"


def test_a_plan_says_what_happens_where():
    plan = chaos.read_plan(
        "delivery.claimed=pause:3.0:0.04+pause:0.5:0.2,engine.applied=kill:0.01,a.b=barrier:2;seed=7;dir=/tmp/x"
    )
    assert plan.actions == {
        "delivery.claimed": (Action("pause", 0.04, seconds=3.0), Action("pause", 0.2, seconds=0.5)),
        "engine.applied": (Action("kill", probability=0.01),),
        "a.b": (Action("barrier", seconds=2.0),),
    }
    assert (plan.seed, str(plan.rendezvous)) == (7, "/tmp/x")


@pytest.mark.parametrize("text", ["", "on", "on;seed=3"])
def test_a_plan_may_be_empty(text):
    assert chaos.read_plan(text).actions == {}


@pytest.mark.parametrize(
    "text",
    ["x=explode:1", "x=pause:1", "x=kill", "x=kill:often", "x", "x=barrier:1", "x=kill:1;sead=7"],
)
def test_a_plan_that_cannot_be_read_is_refused(text):
    with pytest.raises(BadChaos):
        chaos.read_plan(text)


def test_a_kill_point_kills_this_process_with_no_chance_to_tidy_up():
    done = python("try: chaos.point('here')\nfinally: print('tidied up')", CARILLON_CHAOS="here=kill:1")
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, "")


def test_a_pause_comes_with_its_probability_and_the_seed_repeats_it(monkeypatch):
    paused: list[float] = []
    monkeypatch.setattr(time, "sleep", paused.append)
    monkeypatch.setattr(chaos, "_plan", chaos.read_plan("here=pause:3:0.25;seed=7"))
    patterns = []
    for _ in range(2):
        monkeypatch.setattr(chaos, "_dice", {})
        pattern = []
        for _ in range(400):
            paused.clear()
            chaos.point("here")
            chaos.point("elsewhere")
            pattern.append(list(paused))
        patterns.append(pattern)
    assert patterns[0] == patterns[1]
    assert 60 < patterns[0].count([3.0]) < 140
    assert patterns[0].count([]) == 400 - patterns[0].count([3.0])


def test_forked_processes_throw_their_own_dice(monkeypatch):
    monkeypatch.setattr(chaos, "_plan", chaos.read_plan("here=pause:0:0.5;seed=7"))
    monkeypatch.setattr(chaos, "_dice", {})
    chaos.point("here")
    monkeypatch.setattr(os, "getpid", lambda: 4242)
    chaos.point("here")
    assert len(chaos._dice) == 2


def test_processes_meet_at_a_barrier_and_go_on_together(tmp_path):
    env = {"PATH": os.environ["PATH"], "CARILLON_CHAOS": f"race.here=barrier:20;dir={tmp_path}"}
    command = [sys.executable, "-c", "from contacts import chaos; chaos.point('race.here')"]
    racers = [subprocess.Popen(command, cwd=settings.BASE_DIR, env=env) for _ in range(2)]
    deadline = time.monotonic() + 20
    while chaos.arrived(tmp_path, "race.here") < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [racer.poll() for racer in racers] == [None, None]
    chaos.open_barrier(tmp_path, "race.here")
    assert [racer.wait(20) for racer in racers] == [0, 0]


def test_a_barrier_that_nobody_opens_is_an_error_and_no_race(monkeypatch, tmp_path):
    monkeypatch.setattr(chaos, "_plan", chaos.read_plan(f"here=barrier:0.01;dir={tmp_path}"))
    with pytest.raises(BarrierNotOpened):
        chaos.point("here")
