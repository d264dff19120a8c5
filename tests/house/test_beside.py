"""Drills side by side: all are performed, no more at once than was asked for, and none is believed that broke off."""

import sys
import time

import pytest

from tests.drills.rig import beside

# Instead of a place: each of its drills says its name, waits until as many are there as were asked for, and writes its
# figures, unless it is one that breaks off.
PLACE = """
import json, pathlib, sys, time
into, log = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
for line in sys.stdin:
    name = line.strip()
    (into / f"{name}.txt").write_text(f"this is {name}")
    with log.open("a") as file:
        file.write(f"begin {name}\\n")
    if name == "endless":
        time.sleep(600)
    if name == "broken":
        sys.stderr.write("the roof came down")
        sys.exit(4)
    while log.read_text().count("begin") < int(sys.argv[3]):
        time.sleep(0.01)
    (into / f"{name}.json").write_text(json.dumps({"drill": name, "ok": True}))
    with log.open("a") as file:
        file.write(f"end {name}\\n")
    print(name, flush=True)
with log.open("a") as file:
    file.write("leaves\\n")
"""


@pytest.fixture
def played(tmp_path, monkeypatch):
    """What happened, in the order in which it did."""
    log, spawn, children, asked = tmp_path / "log", beside.spawn, [], []

    def instead(command, **options):
        into = command[command.index("--into") + 1]
        children.append(spawn([sys.executable, "-c", PLACE, into, str(log), str(asked[-1])], **options))
        return children[-1]

    monkeypatch.setattr(beside, "spawn", instead)

    def perform(*names, at_once=2):
        asked.append(at_once)
        return beside.perform(names, at_once=at_once, options=["--smoke"], output=tmp_path / "out", say=lambda _: None)

    perform.log, perform.children = lambda: log.read_text().splitlines(), children
    return perform


@pytest.mark.parametrize("at_once", [1, 2, 3])
def test_all_of_them_are_performed_and_no_more_at_once_than_was_asked_for(played, tmp_path, capsys, at_once):
    reports = played("a", "b", "c", "d", "e", at_once=at_once)
    assert [each["drill"] for each in reports] == ["a", "b", "c", "d", "e"]
    under_way = most = 0
    assert played.log()[-at_once:] == ["leaves"] * at_once, "they are let end, and have taken down what was theirs"
    for line in played.log()[:-at_once]:
        under_way += 1 if line.startswith("begin") else -1
        most = max(most, under_way)
    assert most == at_once
    said = capsys.readouterr().out
    assert all(said.count(f"this is {name}") == 1 for name in "abcde")
    assert sorted(path.name for path in (tmp_path / "out").glob("*.json")) == [f"{name}.json" for name in "abcde"]


def test_one_that_breaks_off_is_named_and_takes_the_others_along(played, capsys):
    with pytest.raises(RuntimeError, match="broken broke off with 4"):
        played("endless", "broken")
    said = capsys.readouterr().out
    assert "this is broken" in said
    assert "the roof came down" in said
    deadline = time.monotonic() + 30
    while any(child.poll() is None for child in played.children) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert all(child.poll() is not None for child in played.children)


def test_figures_of_an_earlier_run_are_not_taken_for_those_of_one_that_broke_off(played, tmp_path):
    place = tmp_path / "out" / "place-1"
    place.mkdir(parents=True)
    (place / "broken.json").write_text('{"drill": "broken", "ok": true}')
    with pytest.raises(RuntimeError, match="broke off"):
        played("broken")
