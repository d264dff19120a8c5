"""dbt as a subprocess: what it is started with, and what it says while it builds. Nothing of it is imported."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from analytics.warehouse.processes import Running
from contacts import direct

PROJECT = Path(__file__).resolve().parent.parent / "dbt"
OUTCOMES = {"LogModelResult", "LogTestResult", "LogFreshnessResult"}
FAULTS = {"RunResultError", "MainEncounteredError"}
THREADS = 2
# Of its sessions: a statement may take long, yet not for ever; it waits for nobody's lock for long, since others would
# wait behind it; when dbt is gone, what it asked for ends; and what is built can be built again.
LIMITS = {
    "statement_timeout": "1h",
    "lock_timeout": "30s",
    "idle_in_transaction_session_timeout": "10min",
    "client_connection_check_interval": "5s",
    "synchronous_commit": "off",
    "jit": "off",
    "max_parallel_workers_per_gather": "0",  # dbt has two sessions at work: the other processors are the platform's
    "random_page_cost": "1.1",  # what is new lies together, and is found by its index
    "work_mem": "64MB",
    "maintenance_work_mem": "256MB",
}


# Goes up whenever a table of the project gets another column or another meaning: what earlier versions of the platform
# built is then made anew.
SHAPE = 2


class NoWarehouse(Exception):
    """dbt is not installed here."""


@dataclass(frozen=True)
class Word:
    """One line of what dbt says. `node` is set when a model, a test or a look at a source has ended; then `kind`
    (model · test · source), `state` and `seconds` are, too. `fault`: what was wrong, in one line."""

    text: str
    total: int = 0
    node: str = ""
    kind: str = ""
    state: str = ""
    seconds: float = 0.0
    rows: int | None = None
    fault: str = ""


def executable() -> Path:
    """Raises NoWarehouse."""
    found = Path(settings.WAREHOUSE_DBT)
    if not found.exists():
        raise NoWarehouse(f"dbt is not installed: there is no {found.name} in {found.parent}")
    return found


def build(*, full_refresh: bool = False) -> Running:
    """All models and their tests, in their order. Raises NoWarehouse."""
    return _running("build", *["--full-refresh"] * full_refresh, "--vars", rules())


def freshness() -> Running:
    """When the sources were last written to. Raises NoWarehouse."""
    return _running("source", "freshness", "--vars", rules())


def rules() -> str:
    """What the installation calls revenue, a touch and a stage, where it says so, as JSON, and what shape the tables
    have. Tables that were built by other rules have to be made anew."""
    given = {
        "shape": SHAPE,
        "revenue_events": settings.WAREHOUSE_REVENUE_EVENTS,
        "touch_events": settings.WAREHOUSE_TOUCH_EVENTS,
        "stage_events": settings.WAREHOUSE_STAGE_EVENTS,
        "currency": settings.WAREHOUSE_CURRENCY,
    }
    return json.dumps({name: value for name, value in given.items() if value}, sort_keys=True)


def read(line: str) -> Word:
    """A line of dbt's JSON log; a line that is none is a word as well."""
    try:
        said = json.loads(line)
        info, data = said["info"], said["data"]
        name, text = str(info["name"]), str(info["msg"]).strip()
    except (ValueError, KeyError, TypeError):
        return Word(text=line.strip())
    node: dict[str, Any] = data.get("node_info") or {}
    total = int(data.get("total") or data.get("num_models") or 0)
    if name in FAULTS:
        return Word(text=text, fault=_fault(str(node.get("node_name") or ""), text))
    if name not in OUTCOMES:
        return Word(text=text, total=total)
    return Word(
        text=text,
        total=total,
        node=str(node.get("node_name") or ""),
        kind=str(node.get("resource_type") or ""),
        state=str(node.get("node_status") or data.get("status") or ""),
        seconds=round(float(data.get("execution_time") or 0.0), 3),
        rows=_rows(str(data.get("status") or "")) if name == "LogModelResult" else None,
    )


def _running(*command: str) -> Running:
    places = Path(settings.WAREHOUSE_STATE)
    given = direct.parameters()
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME", "LANG", "PYTHONTZPATH") if name in os.environ},
        "PYTHONUTF8": "1",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DBT_VERSION_CHECK": "false",
        "DBT_TARGET_PATH": str(places / "target"),
        "DBT_LOG_PATH": str(places / "logs"),
        "DBT_LOG_LEVEL_FILE": "info",  # every statement and every thought would be as dear as the work itself
        "DBT_WRITE_JSON": "false",  # nobody reads what it would write about itself
        "WAREHOUSE_HOST": str(given.get("host") or "localhost"),
        "WAREHOUSE_PORT": str(given.get("port") or 5432),
        "WAREHOUSE_USER": str(given.get("user") or ""),
        "WAREHOUSE_PASSWORD": str(given.get("password") or ""),
        "WAREHOUSE_DATABASE": str(given.get("dbname") or ""),
        "WAREHOUSE_SSLMODE": str(given.get("sslmode") or "prefer"),
        "WAREHOUSE_THREADS": str(THREADS),
        "PGOPTIONS": " ".join(f"-c {name}={value}" for name, value in LIMITS.items()),
    }
    where = ("--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT))
    return Running(
        [str(executable()), "--log-format", "json", "--no-use-colors", *command, *where], environment, PROJECT
    )


def _fault(node: str, text: str) -> str:
    """Of PostgreSQL's words the first line: the next ones may quote what somebody wrote."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    told = (
        lines[1] if len(lines) > 1 and lines[0].startswith(("Database Error", "Runtime Error")) else " ".join(lines[:3])
    )
    return f"{node}: {told}" if node else told


def _rows(status: str) -> int | None:
    """`SELECT 120` and `INSERT 0 120` say how many rows there are."""
    last = status.rpartition(" ")[2]
    return int(last) if last.isdigit() else None
