"""No file grows past what one can read in one sitting, and nothing unfinished is left lying about."""

import re
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
OURS = ["config", "contacts", "scoring", "delivery", "workflows", "analytics", "templates", "tests", "bin", "docs"]
KINDS = {".py", ".js", ".css", ".html", ".sh", ".lua"}
ELSEWHERE = {"migrations", "vendor"}  # written by Django, or by others
UNFINISHED = re.compile("TO" + "DO|FIX" + "ME|X" + "XX|NotImplemented" + "Error: later")


def files():
    for top in OURS:
        for path in sorted((ROOT / top).rglob("*")):
            if path.is_file() and path.suffix in KINDS and not ELSEWHERE & set(path.parts) and ".min." not in path.name:
                yield path


def test_no_file_is_longer_than_400_lines():
    long = {
        str(path.relative_to(ROOT)): lines
        for path in files()
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 400
    }
    assert long == {}


def test_nothing_says_that_it_is_unfinished():
    unfinished = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in files()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if UNFINISHED.search(line)
    ]
    assert unfinished == []


@pytest.mark.parametrize("app", ["contacts", "scoring", "delivery", "workflows", "analytics"])
def test_every_app_explains_itself(app):
    assert (ROOT / app / "README.md").read_text(encoding="utf-8").strip()


def test_modules_are_named_for_the_thing_or_the_deed():
    vague = {"utils.py", "helpers.py", "services.py", "common.py", "misc.py", "util.py"}
    assert [str(path) for path in files() if path.name in vague] == []
