"""`.env.example` lists every setting, and nothing that is none."""

import ast
import re
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
READERS = {"text", "flag", "integer", "number", "words", "pairs", "rates", "limit", "time_of_day"}
NOT_SETTINGS = {"DJANGO_SETTINGS_MODULE", "PATH", "HOME", "LD_LIBRARY_PATH", "TMPDIR"}
DOCUMENTED = re.findall(r"^#?([A-Z][A-Z0-9_]*)=", (ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE)


def names_read(path: Path) -> set[str]:
    """Names that the file reads: env.text("NAME", …), os.environ["NAME"], os.environ.get("NAME"), setting("NAME")."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = ast.unparse(node.func)
            if (
                called in {"os.environ.get", "os.getenv"}
                or (called.removeprefix("env.") in READERS and path.parent.name == "config")
                or (called.split(".")[-1] == "setting" and "providers" in path.parts)
            ):
                found.add(node.args[0].value)
        if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "os.environ":
            found.add(getattr(node.slice, "value", ""))
    return {name for name in found if isinstance(name, str) and re.fullmatch(r"[A-Z][A-Z0-9_]*", name)} - NOT_SETTINGS


def all_names() -> set[str]:
    floors = ("config", "contacts", "scoring", "delivery", "workflows", "analytics")
    return set().union(*(names_read(path) for floor in floors for path in (ROOT / floor).rglob("*.py")))


def test_the_search_finds_settings():
    assert {"SECRET_KEY", "DATABASE_URL", "TIME_SPEED", "CARILLON_STATE_DIR"} <= all_names()


def test_every_setting_is_documented():
    assert sorted(all_names() - set(DOCUMENTED)) == []


def test_nothing_else_is_documented():
    assert sorted(set(DOCUMENTED) - all_names()) == []


def test_no_setting_is_documented_twice():
    assert len(DOCUMENTED) == len(set(DOCUMENTED))


@pytest.mark.parametrize("name", DOCUMENTED)
def test_every_setting_is_explained(name):
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    at = next(number for number, line in enumerate(lines) if re.match(rf"#?{name}=", line))
    while re.match(r"#?[A-Z][A-Z0-9_]*=", lines[at]):  # neighbours may share an explanation
        at -= 1
    assert lines[at].startswith("# "), lines[at]
    assert not lines[at].startswith("# --"), lines[at]
