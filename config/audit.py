"""`bin/audit`, in the environment of requirements-audit.txt: checks the list of packages against CycloneDX's schema,
and the pins against the advisories of PyPI.

0: nothing is known, or the advisories could not be asked, which is said; 1: a pin has a known vulnerability that
audit-ignore.txt does not excuse, an excuse has run out, or the list is not valid."""

from __future__ import annotations

import datetime
import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ("requirements.txt", "requirements-tracing.txt", "requirements-warehouse.txt")
PATIENCE_SECONDS = 300
_EXCUSE = re.compile(r"^(?P<id>[\w-]+)\s+until\s+(?P<until>\d{4}-\d{2}-\d{2})\s+(?P<reason>\S.*)$")


class Unreachable(Exception):
    """The advisories could not be asked; the message says of what."""


@dataclass(frozen=True)
class Vulnerability:
    package: str
    version: str
    names: frozenset[str]
    fixed_in: str

    def __str__(self) -> str:
        return (
            f"{self.package} {self.version}: {', '.join(sorted(self.names))} (fixed in {self.fixed_in or 'none yet'})"
        )


def excuses(text: str, *, today: datetime.date) -> set[str]:
    """The identifiers that are excused, of lines `ID until YYYY-MM-DD reason`. Raises ValueError for a line that is not
    so, and for one whose day has passed."""
    found = set()
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        excuse = _EXCUSE.match(line)
        if excuse is None:
            raise ValueError(f"audit-ignore.txt: {line!r} is not `ID until YYYY-MM-DD reason`")
        if datetime.date.fromisoformat(excuse["until"]) < today:
            raise ValueError(f"audit-ignore.txt: {excuse['id']} was excused until {excuse['until']}: look at it again")
        found.add(excuse["id"])
    return found


def vulnerabilities(report: dict[str, Any]) -> list[Vulnerability]:
    """What pip-audit found. Raises Unreachable where it could ask for none of the packages."""
    packages = report["dependencies"]
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    if packages and len(skipped) == len(packages):
        raise Unreachable(f"no advisories for any of {len(packages)} packages")
    for name in skipped:
        print(f"  not known to the advisories: {name}")
    return [
        Vulnerability(
            package["name"],
            package["version"],
            frozenset([each["id"], *each.get("aliases", ())]),
            ", ".join(each.get("fix_versions", ())),
        )
        for package in packages
        for each in package.get("vulns", ())
    ]


def ask(requirements: Path) -> list[Vulnerability]:
    """pip-audit's answer for one file. Raises Unreachable."""
    command = ["-m", "pip_audit", "-r", str(requirements), "--no-deps", "--disable-pip", "--progress-spinner", "off"]
    try:
        done = subprocess.run(
            [sys.executable, *command, "--format", "json"],
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise Unreachable("no answer in five minutes") from error
    try:
        return vulnerabilities(json.loads(done.stdout))
    except json.JSONDecodeError as error:
        raise Unreachable((done.stderr.strip().splitlines() or ["pip-audit said nothing"])[-1]) from error


def is_valid(document: Path) -> bool:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    wrong = JsonStrictValidator(SchemaVersion.V1_6).validate_str(document.read_text(encoding="utf-8"))
    if wrong is not None:
        print(f"  {document.name} is not valid: {wrong}")
    return wrong is None


def main(document: Path) -> int:
    if not is_valid(document):
        return 1
    print(f"  {document.relative_to(ROOT)}: {len(json.loads(document.read_text())['components'])} packages, valid")
    try:
        excused = excuses((ROOT / "audit-ignore.txt").read_text(encoding="utf-8"), today=datetime.date.today())
    except ValueError as error:
        print(f"  {error}")
        return 1
    status = 0
    for name in REQUIREMENTS:
        try:
            found = ask(ROOT / name)
        except Unreachable as reason:
            print(f"  {name}: NOT AUDITED, the advisories could not be reached ({reason})")
            continue
        bad = [each for each in found if not each.names & excused]
        print(f"  {name}: {len(bad)} known vulnerabilities, {len(found) - len(bad)} excused")
        for each in bad:
            print(f"    {each}")
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
