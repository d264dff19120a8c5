"""How a block of each language is run, or checked where there is nothing to run."""

from __future__ import annotations

import configparser
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path

import yaml
from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction

from tests.docs.blocks import Block
from tests.stories.fleet import Installation

ROOT = Path(settings.BASE_DIR)
CLIENTS = ROOT / "var" / "clients"
SHOWN_ADDRESS = "127.0.0.1:8000"
PATIENCE_SECONDS = 120
OF_CLIENTS = ("import segment", "from segment", "import rudderstack", "from rudderstack", "@segment/")


class Missing(Exception):
    """Something that the block needs is not installed here; the words say what."""


class Room:
    """Where the blocks of one page run, one after the other: a folder that looks like the project's, and what they have
    exported so far."""

    def __init__(self, folder: Path, installation: Installation, exported: Mapping[str, str]) -> None:
        self.folder, self.installation = folder, installation
        self.exported = dict(exported)
        for name in (".venv", "manage.py", "workflows", "docs"):
            (folder / name).symlink_to(ROOT / name)
        (folder / "node_modules").symlink_to(CLIENTS / "node_modules")  # where there is one
        curl = folder / ".bin" / "curl"
        curl.parent.mkdir()
        curl.write_text(f'#!/bin/sh\nexec {shutil.which("curl")} --silent --show-error --fail-with-body "$@"\n')
        curl.chmod(0o755)

    @property
    def environment(self) -> dict[str, str]:
        own = f"{self.folder / '.bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        given = {**self.installation.environment, **self.exported, "PATH": own, "PYTHONUNBUFFERED": "1"}
        given.pop("DJANGO_ALLOW_ASYNC_UNSAFE", None)  # tests in a browser need it, and an installation refuses it
        return given

    def fitted(self, text: str) -> str:
        """As it stands, but for the address."""
        return text.replace(SHOWN_ADDRESS, f"127.0.0.1:{self.installation.port}")

    def run(self, command: list[str], block: Block, *, given: str = "") -> None:
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            input=given,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        told = f"{block.where}\n{block.body}\n--- exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert (done.returncode != 0) == ("fails" in block.options), told
        assert bare(block.options.get("says", "")) in bare(done.stdout + done.stderr), told


def bare(text: str) -> str:
    """Without spaces and quotation marks, which an info string cannot hold or a program may set otherwise."""
    return re.sub(r'[\s"]', "", text)


def run_block(block: Block, room: Room, later: str) -> None:
    """Run a block, or raise AssertionError or Missing. `later`: the blocks that follow it on its page."""
    if block.title:
        path = room.folder / block.title
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(room.fitted(block.body), encoding="utf-8")
        if block.title in later or block.title.removesuffix(".py") in later:
            return
    RUN[block.language](block, room)


def _shell(block: Block, room: Room) -> None:
    state = room.folder / ".exported"
    script = f"set -eua\n{room.fitted(block.body)}\nexport -p > {state}\n"
    if not shutil.which("curl") and "curl" in block.body:
        raise Missing("curl")
    room.run(["sh", "-s"], block, given=script)
    if "fails" not in block.options:
        found = re.findall(r"^export (CARILLON_\w+|\w*KEY)='(.*)'$", state.read_text(), re.MULTILINE)
        room.exported |= dict(found)


def _python(block: Block, room: Room) -> None:
    interpreter = Path(sys.executable)
    if any(word in block.body for word in OF_CLIENTS):
        interpreter = CLIENTS / "venv" / "bin" / "python"
        if not (CLIENTS / "installed").exists():
            raise Missing("tests/clients/install.sh installs the clients")
    room.run([str(interpreter), "-"], block, given=room.fitted(block.body))


def _javascript(block: Block, room: Room) -> None:
    node = shutil.which("node")
    if not node:
        raise Missing("Node.js")
    if "@segment/" in block.body and not (CLIENTS / "installed").exists():
        raise Missing("tests/clients/install.sh installs the clients")
    program = room.folder / "block.mjs"
    program.write_text(room.fitted(block.body), encoding="utf-8")
    room.run([node, str(program)], block)


def _json(block: Block, room: Room) -> None:
    json.loads(block.body)
    if asked := block.options.get("request"):
        method, path = asked.split(" ", 1)
        key = room.exported["CARILLON_KEY"]
        status, answer, _ = room.installation.request(
            method, path, block.body.encode(), Authorization=f"Bearer {key}", Content_Type="application/json"
        )
        assert 200 <= status < 300, f"{block.where}: {status} {answer.decode()}"
        if path == "/api/v1/events":
            assert json.loads(answer)["rejected"] == [], f"{block.where}: {answer.decode()}"


def _yaml(block: Block, room: Room) -> None:
    document = yaml.safe_load(block.body)
    if isinstance(document, dict) and "workflow" in document:
        try_journey(block, room.folder)


def try_journey(block: Block, folder: Path) -> None:
    """A whole definition: the cases that stand in it hold, by `manage.py test_workflow`."""
    path = folder / f"{block.page.stem}-{block.line}.yaml"
    path.write_text(block.body, encoding="utf-8")
    out, err = StringIO(), StringIO()
    try:
        call_command("test_workflow", str(path), stdout=out, stderr=err)
    except SystemExit as left:
        assert left.code in (0, None), f"{block.where}\n{out.getvalue()}\n{err.getvalue()}"


def _sql(block: Block, room: Room) -> None:
    """Every statement is run, and taken back."""
    for statement in filter(str.strip, re.sub(r"--[^\n]*", "", block.body).split(";")):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
            transaction.set_rollback(True)


def _ini(block: Block, room: Room) -> None:
    """An environment file has no sections of its own."""
    configparser.RawConfigParser(strict=False).read_string(f"[file]\n{block.body}")


def _html(block: Block, room: Room) -> None:
    """Whatever it loads from this installation is there."""

    class Sources(HTMLParser):
        found: list[str] = []

        def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
            self.found += [value for name, value in attributes if name == "src" and value]

    reader = Sources()
    reader.feed(block.body)
    for source in reader.found:
        path = re.sub(r"^https?://[^/]+", "", source)
        assert room.installation.request("GET", path)[0] == 200, f"{block.where}: {source}"


def _shown(block: Block, room: Room) -> None:
    """What a program prints, and drawings."""


RUN: Mapping[str, Callable[[Block, Room], None]] = {
    "sh": _shell,
    "python": _python,
    "javascript": _javascript,
    "json": _json,
    "yaml": _yaml,
    "sql": _sql,
    "ini": _ini,
    "html": _html,
    "text": _shown,
    "mermaid": _shown,
}
