"""`docs/security.md` names tests: they are there. And points that have no other home."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from django.conf import settings

from config import env
from config.celery import app
from contacts.access import Key
from tests.house.test_settings_documented import DOCUMENTED

ROOT = Path(settings.BASE_DIR)
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "docs/security.md").read_text(encoding="utf-8"))
SECRET = re.compile(
    r"_(?:KEY|SECRET|TOKEN|PASSWORD|FALLBACKS)$|^(?:(?:\w+_)?DATABASE_URL|DATABASE_DIRECT_URL|REDIS_URL|CELERY_BROKER_URL)$"
)


def test_every_test_that_the_list_names_is_there():
    missing = []
    for path, name in NAMED:
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        if name not in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}:
            missing.append(f"{path}::{name}")
    assert len(NAMED) > 30
    assert missing == []


def rows() -> list[list[str]]:
    """Number, point, where, tests."""
    lines = (ROOT / "docs/security.md").read_text(encoding="utf-8").splitlines()
    return [[cell.strip() for cell in line.split("|")[1:5]] for line in lines if re.match(r"\| *\d+ *\|", line)]


def test_every_point_has_a_row_and_every_row_names_places_that_are_there_and_tests():
    """Point 15 speaks of tenants: an installation is one company's."""
    assert {int(number) for number, *_ in rows()} == set(range(1, 26)) - {15}
    for number, point, where, tests in rows():
        places = re.findall(r"`([\w/.-]+)`", where)
        assert places and "::" in tests, (number, point)
        assert [place for place in places if not (ROOT / place).exists()] == [], (number, point)


@pytest.mark.parametrize("name", [name for name in DOCUMENTED if SECRET.search(name)])
def test_what_is_secret_may_lie_in_a_file(name, tmp_path, monkeypatch):
    (tmp_path / "secret").write_text("from the file\n")
    monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(f"{name}_FILE", str(tmp_path / "secret"))
    assert env.text(name) == "from the file"


def test_no_setting_is_read_past_its_file():
    """What lies in a file must not be asked of the environment itself."""
    read = re.findall(r'environ(?:\.get\(|\[)"(\w+)"', (ROOT / "config/settings.py").read_text(encoding="utf-8"))
    assert [name for name in read if SECRET.search(name)] == []


def test_a_key_that_is_printed_keeps_its_secret():
    key = Key(1, "site", "browser", frozenset(), identity_secret="wrapped in plain sight")
    assert "plain sight" not in repr(key) and "plain sight" not in str(key)


def test_workers_take_nothing_but_json():
    assert (app.conf.task_serializer, list(app.conf.accept_content)) == ("json", ["json"])
