"""What the files of a deployment start, brought into one form: the words behind `python`, without how loud they are and
where the web listens."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from django.conf import settings

from config.lanes import LANES
from config.processes import Process
from config.programs import Programs
from config.state import State

ROOT = Path(settings.BASE_DIR)
DOCUMENTED = set(
    re.findall(r"^#?([A-Z][A-Z0-9_]*)=", (ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE)
)
OTHERS = {"HOME", "PATH", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "PYTHONUTF8"}
KUBERNETES, UNITS = ROOT / "deploy" / "kubernetes", ROOT / "deploy" / "systemd"


def expected(folder: Path) -> dict[str, list[str]]:
    """The processes of an installation, by name, as `bin/up` starts them; KAFKA_BOOTSTRAP_SERVERS has to be set."""
    programs = Programs(State(folder), {})
    processes: list[Process] = [*programs.workers(), *programs.ringers(), programs.web(0), programs.prepare()]
    return {process.name: words([str(word) for word in process.command[1:]]) for process in processes}


def words(command: list[str]) -> list[str]:
    """Without `python`, --loglevel and --bind."""
    found = command[1:] if Path(command[0]).name == "python" else list(command)
    for option in ("--loglevel", "--bind"):
        if option in found:
            at = found.index(option)
            del found[at : at + 2]
    return found


def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))


def manifests() -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every document of Kubernetes' but the kustomizations, as it stands in its file."""
    for path in sorted(KUBERNETES.rglob("*.yaml")):
        if path.name in ("kustomization.yaml", "prometheus-adapter.yaml"):
            continue
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            yield path, document


def units() -> dict[str, dict[str, list[tuple[str, str]]]]:
    """By file name, the sections of each with their lines."""
    found: dict[str, dict[str, list[tuple[str, str]]]] = {}
    for path in sorted(UNITS.iterdir()):
        section, sections = "", {}
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("["):
                section = line.strip("[]")
                sections[section] = []
            elif line and not line.startswith("#"):
                name, _, value = line.partition("=")
                sections[section].append((name, value))
        found[path.name] = sections
    return found


def values(unit: dict[str, list[tuple[str, str]]], name: str) -> list[str]:
    return [value for key, value in unit["Service"] if key == name]


def services() -> dict[str, tuple[list[str], dict[str, str], float]]:
    """Every process that systemd would start, by the name that `bin/up` gives it: its command (`python` as it is),
    what its unit adds to the environment, and the seconds that it has to stop."""
    found = {}
    for name, unit in units().items():
        if not name.endswith(".service"):
            continue
        of = name.removeprefix("carillon-").removesuffix(".service")
        for lane in LANES if of == "worker@" else [""]:

            def filled(text: str, lane: str = lane) -> str:
                return text.replace("%i", lane).replace("%%", "%")

            (command,) = values(unit, "ExecStart")
            (seconds,) = values(unit, "TimeoutStopSec")
            environment = dict(pair.split("=", 1) for line in values(unit, "Environment") for pair in line.split())
            found[lane or {"migrate": "prepare"}.get(of, of)] = (
                shlex.split(filled(command)), environment, float(seconds),
            )  # fmt: skip
    return found
