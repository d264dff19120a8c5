"""What the house is built of: as pinned, with licences that oblige nobody who uses it, and told to whoever asks."""

from __future__ import annotations

import datetime
import json
import re

import jsonschema
import pytest

from config import audit, packages

PERMISSIVE = {
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "MIT",
    "MIT-0",
    "PSF-2.0",
    "Unlicense",
}
# Used as they are, as libraries that anybody can exchange: what the LGPL and the MPL ask for is asked of their changes.
EXCEPTIONS = {
    "psycopg": "LGPL-3.0-only",
    "psycopg-binary": "LGPL-3.0-only",
    "python-crontab": "LGPL-3.0-only",
    "certifi": "MPL-2.0",
}
DAY = datetime.date(2026, 3, 4)


def test_what_is_installed_is_what_is_pinned() -> None:
    found = packages.installed()
    assert [package for package in found if package.version != package.pinned] == []
    others = {name for name in packages.pins() if name not in {package.name for package in found}}
    text = (packages.ROOT / "requirements.txt").read_text(encoding="utf-8")
    assert [name for name in others if not re.search(rf"^{re.escape(name)}==[^\n]*;", text, re.M)] == [], (
        "only what is for other systems is missing"
    )


def test_every_licence_is_permissive_or_excepted_with_a_reason() -> None:
    obliging = {}
    for package in packages.installed():
        # of A OR B one is enough; of A AND B both count
        choices = [set(choice.strip("() ").split(" AND ")) for choice in package.licence.split(" OR ")]
        if not any(choice <= PERMISSIVE for choice in choices):
            obliging[package.name] = package.licence
    assert obliging == EXCEPTIONS


def test_the_list_of_packages_says_what_cyclonedx_asks_for() -> None:
    document = packages.bill_of_materials()
    component = {
        "type": "object",
        "required": ["type", "bom-ref", "name", "version", "purl", "licenses"],
        "properties": {
            "type": {"const": "library"},
            "purl": {"pattern": "^pkg:pypi/[a-z0-9.-]+@[^@]+$"},
            "licenses": {
                "minItems": 1,
                "maxItems": 1,
                "items": {"required": ["expression"], "additionalProperties": False, "properties": {"expression": {}}},
            },
        },
    }
    jsonschema.validate(
        document,
        {
            "type": "object",
            "required": ["bomFormat", "specVersion", "serialNumber", "version", "metadata", "components"],
            "properties": {
                "bomFormat": {"const": "CycloneDX"},
                "specVersion": {"const": "1.6"},
                "serialNumber": {"pattern": "^urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"},
                "components": {"type": "array", "minItems": 70, "uniqueItems": True, "items": component},
            },
        },
    )
    assert packages.bill_of_materials() == document, "the same packages have the same list"


def test_a_vulnerability_is_excused_by_any_of_its_names_until_a_day() -> None:
    text = "# a comment\n\nGHSA-aaaa-bbbb-cccc until 2026-03-04 we call none of it\n"
    assert audit.excuses(text, today=DAY) == {"GHSA-aaaa-bbbb-cccc"}
    with pytest.raises(ValueError, match="look at it again"):
        audit.excuses(text, today=DAY + datetime.timedelta(days=1))
    with pytest.raises(ValueError, match="is not"):
        audit.excuses("GHSA-aaaa-bbbb-cccc until 2026-03-04\n", today=DAY)

    known = {"id": "PYSEC-2026-1", "aliases": ["GHSA-aaaa-bbbb-cccc"], "fix_versions": ["2.0"]}
    unknown = {"name": "ours", "skip_reason": "not found"}
    report = {"dependencies": [{"name": "left-pad", "version": "1.0", "vulns": [known]}, unknown]}
    (found,) = audit.vulnerabilities(report)
    assert str(found) == "left-pad 1.0: GHSA-aaaa-bbbb-cccc, PYSEC-2026-1 (fixed in 2.0)"


def test_advisories_that_know_nothing_at_all_were_not_asked() -> None:
    with pytest.raises(audit.Unreachable):
        audit.vulnerabilities(json.loads('{"dependencies": [{"name": "django", "skip_reason": "not found"}]}'))


def test_the_excuses_of_the_house_are_in_date() -> None:
    audit.excuses((audit.ROOT / "audit-ignore.txt").read_text(encoding="utf-8"), today=datetime.date.today())
