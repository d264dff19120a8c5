"""deploy/systemd: as systemd reads it, and each command really run: it becomes ready, and ends when it is told."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from config import ports, pulse
from contacts import heartbeat, redis_index
from tests.operations import deployed

PATIENCE_SECONDS = 90.0
UNITS = deployed.units()
ANALYZE = shutil.which("systemd-analyze")


@pytest.mark.skipif(not ANALYZE, reason="there is no systemd-analyze here (Debian: apt-get install systemd)")
def test_systemd_finds_nothing_wrong(tmp_path):
    for path in deployed.UNITS.iterdir():
        text = path.read_text(encoding="utf-8").replace("/srv/carillon/.venv/bin/python", sys.executable)
        (tmp_path / path.name).write_text(text, encoding="utf-8")
    names = [str(tmp_path / name.replace("@.", "@urgent.")) for name in UNITS]
    done = subprocess.run(
        [str(ANALYZE), "verify", "--man=no", *names], capture_output=True, text=True, check=False,
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
    )  # fmt: skip
    assert [line for line in done.stderr.splitlines() if "carillon" in line] == [] and done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", [name for name in UNITS if name.endswith(".service")])
def test_a_unit_is_shut_in(name):
    service = dict(UNITS[name]["Service"])
    assert service["User"] == service["Group"] == "carillon"
    assert {service[key] for key in ("NoNewPrivileges", "ProtectHome", "PrivateTmp", "PrivateDevices")} == {"true"}
    assert service["ProtectSystem"] == "strict" and service["CapabilityBoundingSet"] == ""
    assert f"/var/lib/{service['StateDirectory']}" in service["Environment"]
    assert service.get("Restart") == (None if service["Type"] == "oneshot" else "always")
    assert ("WantedBy", "carillon.target") in UNITS[name]["Install"]


def test_everything_waits_for_the_migrations_and_stops_with_the_target():
    for name, unit in UNITS.items():
        if name.endswith(".service"):
            assert ("PartOf", "carillon.target") in unit["Unit"]
            if name != "carillon-migrate.service":
                assert "carillon-migrate.service" in dict(unit["Unit"])["After"].split()
    assert dict(UNITS["carillon.target"]["Unit"])["Wants"] == "carillon-migrate.service"


def ready(name: str, port: int) -> bool:
    if name == "web":
        return pulse.web_answers(port)
    if name == "beat":
        return bool(redis_index.connection().exists(f"{settings.REDIS_PREFIX}housekeeping"))  # it has rung
    return not heartbeat.missing([pulse.NAMES[name]])


@pytest.mark.django_db(transaction=True)
@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", ["prepare", "web", "urgent", "dispatcher", "beat"])
def test_what_a_unit_starts_becomes_ready_and_ends_when_it_is_told(name, tmp_path):
    command, added, seconds = deployed.services()[name]
    port = ports.free(18_900)
    command = [sys.executable, *(word.replace("127.0.0.1:8000", f"127.0.0.1:{port}") for word in command[1:])]
    database = connection.settings_dict
    where = f"{database['USER']}:{database['PASSWORD']}@{database['HOST']}:{database['PORT']}/{database['NAME']}"
    environment = os.environ | added | {
        "CARILLON_STATE_DIR": str(tmp_path),
        "DATABASE_URL": f"postgres://{where}",
        "REDIS_URL": settings.REDIS_URL,
        "CELERY_BROKER_URL": settings.REDIS_URL,
        "REDIS_PREFIX": settings.REDIS_PREFIX,
    }  # fmt: skip
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=deployed.ROOT, env=environment, stdout=output, stderr=output)
    try:
        if name == "prepare":
            assert process.wait(PATIENCE_SECONDS) == 0, told(log)
            return
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not ready(name, port):
            assert process.poll() is None and time.monotonic() < deadline, told(log)
            time.sleep(0.1)
        process.terminate()
        assert process.wait(seconds) in (0, -15), told(log)
    finally:
        process.kill()
        process.wait()


def told(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-3000:]
