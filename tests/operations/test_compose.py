"""compose.yaml against the Compose specification, and what it says of files and secrets."""

import json
import re
import subprocess
import sys

import compose_spec
import pytest

from tests.operations.deployed import ROOT, compose

SERVICES = compose()["services"]
OURS = {name: of for name, of in SERVICES.items() if of["image"].startswith("carillon:")}


def test_it_is_what_the_specification_says():
    parsed = compose_spec.PyCompose.from_json(json.dumps(compose()))
    assert parsed.service_names() == list(SERVICES)
    with pytest.raises(Exception, match="read_onlyy"):
        compose_spec.PyCompose.from_json(json.dumps({"services": {"web": {"image": "web", "read_onlyy": True}}}))


@pytest.mark.parametrize("name", SERVICES)
def test_nobody_has_more_rights_than_he_needs(name):
    service = SERVICES[name]
    assert service["read_only"] is True and service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "cap_add" not in service or name in ("postgres", "nginx")
    assert service["restart"] and service["healthcheck"] and service["tmpfs"]
    assert re.fullmatch(r"[a-z/]+:\d+\.\d+[\w.-]*", service["image"]), "a version of its own"
    if name in OURS:
        assert service["user"] == "10001:10001"


def test_what_is_named_is_declared():
    document = compose()
    for service in SERVICES.values():
        assert set(service.get("secrets", [])) <= set(document["secrets"])
        assert set(service.get("depends_on", {})) <= set(SERVICES)
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in document["volumes"] or (ROOT / source).exists()
        for value in map(str, service.get("environment", {}).values()):
            if value.startswith("/run/secrets/"):
                assert value.removeprefix("/run/secrets/") in service["secrets"]


def test_only_the_proxy_is_reached_from_outside():
    assert {name for name, service in SERVICES.items() if "ports" in service} == {"nginx"}


def test_everybody_waits_for_the_migrations():
    for name, service in OURS.items():
        if name != "migrate":
            assert service["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}


def test_the_settings_contradict_neither_each_other_nor_the_world(tmp_path):
    """`manage.py check --deploy` with the environment of the web and files in the place of its secrets."""
    environment = {name: str(value) for name, value in SERVICES["web"]["environment"].items()}
    secrets = {"database-url": "postgres://carillon:password@postgres:5432/carillon", "secret-key": "k" * 60}
    for name, path in environment.items():
        if name.endswith("_FILE"):
            secret = tmp_path / path.rpartition("/")[2]
            secret.write_text(secrets.get(secret.name, "a key of somebody's") + "\n", encoding="utf-8")
            environment[name] = str(secret)
    done = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy"],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "PYTHONUTF8": "1", "CARILLON_STATE_DIR": str(tmp_path), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0 and "ERROR" not in done.stderr, done.stderr
