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
SECRET = re.compile(r"_(?:KEY|SECRET|TOKEN|PASSWORD|FALLBACKS)$|^(?:DATABASE_URL|REDIS_URL|CELERY_BROKER_URL)$")


def test_every_test_that_the_list_names_is_there():
    missing = []
    for path, name in NAMED:
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        if name not in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}:
            missing.append(f"{path}::{name}")
    assert len(NAMED) > 30
    assert missing == []


def test_every_row_of_the_list_names_a_place_that_is_there_and_a_test():
    rows = [line.split("|")[1:4] for line in (ROOT / "docs/security.md").read_text().splitlines() if "::" in line]
    for point, where, tests in rows:
        places = re.findall(r"`([\w/.]+)`", where)
        assert places and "::" in tests, point
        assert [place for place in places if not (ROOT / place).exists()] == [], point


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
