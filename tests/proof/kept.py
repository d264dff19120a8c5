"""Keeping a report: docs/proof/<kind>/<name>.json. What ran in a small size is not kept."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.drills.rig.processes import ROOT

FOLDER = ROOT / "docs" / "proof"
DRILLS, BENCHES = "drills", "benches"


def keep(kind: str, name: str, report: Mapping[str, Any], folder: Path = FOLDER) -> Path:
    """Writes the report, with its commit and its day (UTC)."""
    path = folder / kind / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    stamped = {"commit": commit(), "day": f"{datetime.now(UTC):%Y-%m-%d}", **report}
    unfinished = path.with_suffix(".new")
    unfinished.write_text(json.dumps(stamped, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    unfinished.rename(path)
    return path


def load(kind: str, folder: Path = FOLDER) -> dict[str, dict[str, Any]]:
    """By name, in its order."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted((folder / kind).glob("*.json"))}


def commit() -> str:
    """Of the tree that runs, with a `+` behind it if code was changed since; empty where there is no git."""
    try:
        head = _git("rev-parse", "--short=12", "HEAD")
        changed = _git("status", "--porcelain", "--", ".", ":!docs", ":!README.md")  # which show what was kept before
    except (OSError, subprocess.CalledProcessError):
        return ""
    return head + ("+" if changed else "")


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()
