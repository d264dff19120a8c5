"""The floors of the house: calls go down only."""

import ast
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
MAY_IMPORT = {
    "contacts": set(),
    "scoring": {"contacts"},
    "delivery": {"contacts"},
    "workflows": {"contacts", "scoring", "delivery"},
    "analytics": {"contacts", "scoring", "delivery", "workflows"},
    "config": {"contacts", "scoring", "delivery", "workflows", "analytics"},
}
CLOCK_READERS = {"datetime.now", "timezone.now", "datetime.utcnow", "date.today"}


def sources(app: str) -> list[Path]:
    return [path for path in sorted((ROOT / app).rglob("*.py")) if "__pycache__" not in path.parts]


def imported_modules(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module)
    return found


@pytest.mark.parametrize("app", MAY_IMPORT)
def test_no_import_climbs_a_floor(app):
    climbing = [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in sources(app)
        for module in imported_modules(path)
        if module.split(".")[0] in MAY_IMPORT and module.split(".")[0] not in MAY_IMPORT[app] | {app}
    ]
    assert climbing == []


@pytest.mark.parametrize("app", [app for app in MAY_IMPORT if app != "config"])
def test_rooms_do_not_import_tasks(app):
    entrances = {"tasks.py", "receivers.py", "apps.py"}
    knocking = [
        str(path.relative_to(ROOT))
        for path in sources(app)
        if path.name not in entrances
        and "commands" not in path.parts
        and any(module.endswith(".tasks") for module in imported_modules(path))
    ]
    assert knocking == []


def test_pure_cores_know_nothing_of_django():
    cores = [
        "contacts/durations.py",
        "contacts/conditions/grammar.py",
        "scoring/rulesets/decay.py",
        "workflows/waits.py",
    ]
    impure = [core for core in cores if any(name.startswith("django") for name in imported_modules(ROOT / core))]
    assert impure == []


@pytest.mark.parametrize("app", ["contacts", "scoring", "delivery", "workflows"])
def test_foreign_keys_across_floors_leave_no_reverse_accessor(app):
    from django.apps import apps

    seen_from_above = [
        f"{model.__name__}.{field.name}"
        for model in apps.get_app_config(app).get_models()
        for field in model._meta.get_fields()
        if field.is_relation
        and field.concrete
        and field.related_model
        and field.related_model._meta.app_label in MAY_IMPORT
        and field.related_model._meta.app_label != app
        and not field.remote_field.hidden
    ]
    assert seen_from_above == []


def test_rooms_do_not_read_the_clock():
    """`now` is an argument; entrances read it from PostgreSQL. Leases and sleeps use monotonic time."""
    reading = []
    for app in MAY_IMPORT:
        for path in sources(app):
            if "migrations" in path.parts or app == "config":
                continue
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and ast.unparse(node.func) in CLOCK_READERS:
                    reading.append(f"{path.relative_to(ROOT)}:{node.lineno} {ast.unparse(node.func)}")
    assert reading == []
