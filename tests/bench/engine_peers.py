"""What stands beside the engine in its bench, other than Celery: engines of durable execution, and the limit."""

from __future__ import annotations

import subprocess
import sys
import venv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.drills.rig.servers import Servers

HERE = Path(__file__).parent / "peers"
DBOS, PROCRASTINATE, LIMIT = "DBOS Transact", "procrastinate", "one statement by hand"


@dataclass(frozen=True)
class Durable:
    """`script` runs in the peers' own environment."""

    what: str
    script: str


DURABLE = (Durable(DBOS, "dbos_workflows.py"), Durable(PROCRASTINATE, "procrastinate_jobs.py"))


def python(directory: Path, requirements: Path = HERE / "requirements.txt") -> Path:
    """The interpreter of an environment that holds exactly the peers; made when it is not there or not the same."""
    wanted = requirements.read_text()
    home, stamp = directory / "peers", directory / "peers" / "installed.txt"
    if not stamp.exists() or stamp.read_text() != wanted:
        venv.create(home, with_pip=True, clear=True)
        pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--requirement", str(requirements)], check=True, stderr=subprocess.DEVNULL)
        stamp.write_text(wanted)
    return home / "bin" / "python"


def durable_command(peer: Durable, interpreter: Path) -> list[str]:
    return [str(interpreter), str(HERE / "durable" / peer.script)]


def durable_env(
    base: Mapping[str, str], *, servers: Servers, database: str, definition: Path, turn: int
) -> dict[str, str]:
    """`turn` keeps the workflow ids of one turn from those of another: DBOS runs each id once."""
    return {
        **base,
        "PYTHONPATH": "",
        "NAIVE_DEFINITION": str(definition),
        "PEER_DATABASE_URL": servers.database_url(database),
        "PEER_SYSTEM_DATABASE_URL": servers.database_url(f"{database}_dbos"),
        "PEER_TURN": str(turn),
    }


def limit_command() -> list[str]:
    return [sys.executable, "-m", "tests.bench.peers.one_statement.loops"]
