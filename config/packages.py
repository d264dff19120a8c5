"""What the house is built of: the packages that requirements.txt pins, as they are installed, with their licences, and
the list of them that others can read (CycloneDX). The standard library alone; `bin/audit` runs it elsewhere.

    python config/packages.py OUTPUT     writes the list"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import sysconfig
import uuid
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SPECIFICATION = "1.6"

_PIN = re.compile(r"^(?P<name>[\w.-]+)==(?P<version>[^\s;]+)\s*(?:;.*)?$")
# As their makers spell them, to the identifiers of SPDX; "BSD" alone leaves open which of the three.
_SPELLINGS = {
    "Apache 2": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD": "BSD-3-Clause",
    "New BSD": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "BSD 3-Clause OR Apache-2.0": "BSD-3-Clause OR Apache-2.0",
    "LGPLv3": "LGPL-3.0-only",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
}
# Of packages that say nothing themselves: what their repositories say.
_SILENT = {"mrml": "MIT"}
_OURSELVES = {
    "type": "application",
    "bom-ref": "carillon",
    "name": "carillon",
    "licenses": [{"expression": "Apache-2.0"}],
}
_LONGEST_NAME = 30  # beyond, it is the text of the licence


@dataclass(frozen=True)
class Package:
    """`pinned` and `version`: what is asked for, and what is there; `licence`: an expression of SPDX, or empty.
    `record`: the SHA-256 of the list of its files and their hashes."""

    name: str
    pinned: str
    version: str
    licence: str
    record: str

    @property
    def url(self) -> str:
        return f"pkg:pypi/{self.name}@{self.version}"


def pins(requirements: Path = ROOT / "requirements.txt") -> dict[str, str]:
    """Name to version, as the file says. Raises ValueError for a line that pins nothing."""
    found = {}
    for line in requirements.read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        pin = _PIN.match(line)
        if pin is None:
            raise ValueError(f"{requirements.name}: {line!r} is not a pin")
        found[pin["name"]] = pin["version"]
    return found


def installed() -> list[Package]:
    """Of the pinned packages those that are there: some are for other systems."""
    return [package for name, version in sorted(pins().items()) if (package := _look_at(name, version))]


def _look_at(name: str, pinned: str) -> Package | None:
    try:
        found = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return None
    record = hashlib.sha256((found.read_text("RECORD") or "").encode()).hexdigest()
    return Package(name, pinned, found.version, licence_of(name, found.metadata), record)


def licence_of(name: str, said: Any) -> str:
    """By its own expression, else by the field of old, else by its classifiers. An expression of SPDX; empty where
    nothing is said that we understand."""
    if expression := said.get("License-Expression"):
        return expression
    classifiers = said.get_all("Classifier") or []
    kinds = [each.rpartition("::")[2].strip() for each in classifiers if "License ::" in each]
    field = (said.get("License") or "").strip()
    if field and len(field) <= _LONGEST_NAME and "\n" not in field:
        return _SPELLINGS.get(field, field)
    return " AND ".join(sorted({_SPELLINGS.get(each, each) for each in kinds})) or _SILENT.get(name, "")


def bill_of_materials() -> dict[str, Any]:
    """A CycloneDX document: every package with version, licence, and where it comes from."""
    found = installed()
    digest = hashlib.sha256("".join(package.url + package.record for package in found).encode()).digest()
    return {
        "bomFormat": "CycloneDX",
        "specVersion": SPECIFICATION,
        "serialNumber": f"urn:uuid:{uuid.UUID(bytes=digest[:16], version=4)}",  # the same for the same packages
        "version": 1,
        "metadata": {
            "component": _OURSELVES,
            "properties": [
                {"name": "carillon:python", "value": sys.version.split()[0]},
                {"name": "carillon:platform", "value": sysconfig.get_platform()},
            ],
        },
        "components": [_component(package) for package in found],
        "dependencies": [{"ref": "carillon", "dependsOn": [package.url for package in found]}],
    }


def _component(package: Package) -> dict[str, Any]:
    return {
        "type": "library",
        "bom-ref": package.url,
        "name": package.name,
        "version": package.version,
        "purl": package.url,
        "licenses": _said(package.licence),
        "properties": [{"name": "carillon:record-sha256", "value": package.record}],
    }


def _said(licence: str) -> list[dict[str, Any]]:
    return [{"expression": licence}] if licence else []


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(bill_of_materials(), indent=1) + "\n", encoding="utf-8")
