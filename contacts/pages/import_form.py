"""What the mapping page asks for, and what somebody answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contacts.importing import mapping, presets, values
from contacts.importing.csv_rows import BadHeader
from contacts.importing.mapping import ATTRIBUTE, CONSENT, IGNORE, Column, ColumnMap
from contacts.importing.shape import EXISTING, UPDATE, Options, options_of
from contacts.importing.sniffing import Format, format_of
from contacts.importing.uploads import Preview
from contacts.models import ImportRun, List

SAMPLES = 3
DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tabulator", "|": "bar"}
QUOTES = {'"': "double quotes", "'": "single quotes", "": "none: quotes are plain characters"}
ENCODINGS = {
    "utf-8": "UTF-8",
    "utf-16-le": "UTF-16 (little endian)",
    "utf-16-be": "UTF-16 (big endian)",
    "cp1252": "Windows-1252 (Western Europe)",
    "latin-1": "Latin-1 (ISO 8859-1)",
}
_ATTRIBUTE = "attribute"
TARGETS = (
    ("Who it is", (("external_id", "Your own id"), ("email", "E-mail address"), ("phone", "Telephone"))),
    (
        "Profile",
        (
            ("timezone", "Time zone"),
            ("locale", "Language"),
            ("region", "Region of storage"),
            ("owner_email", "Owner's e-mail"),
            ("created_at", "Contact since"),
        ),
    ),
    ("Together", (("tags", "Tags, several with commas"), ("lists", "Lists, by slug"))),
    (
        "Consent",
        (
            ("consent:marketing", "Marketing"),
            ("consent:tracking", "Tracking"),
            ("consent:data_processing", "Processing of data"),
            ("consent:sale", "Sale of data"),
        ),
    ),
    ("Anything else", ((_ATTRIBUTE, "Attribute"), (IGNORE, "Leave out"))),
)


@dataclass(frozen=True)
class Row:
    """One column of the file on the page."""

    number: int
    name: str
    samples: list[str]
    to: str
    attribute: str
    type: str


class Plan:
    """The mapping and the options as they stand on the page: said, remembered, or guessed."""

    def __init__(self, run: ImportRun, seen: Preview, said: Mapping[str, Any] | None) -> None:
        self._seen = seen
        self._said = said
        self.fault = ""
        self.preset_name = str(said.get("preset_name", "")).strip() if said else ""
        self.mapping = self._mapping(run)
        self.options = self._options(run)
        self.rows = [self._row(number, name) for number, name in enumerate(seen.header)]
        self.lists = [(each, each.slug in self.options.lists) for each in List.objects.order_by("name")[:500]]

    def problem(self) -> str:
        """Why it cannot be imported so, or empty."""
        if self.fault or self._seen.problem:
            return self.fault or self._seen.problem
        try:
            mapping.check(self.mapping, self._seen.header)
        except BadHeader as error:
            return str(error)
        return ""

    @property
    def granted(self) -> bool:
        return self.options.consents.get(("marketing", "")) == "granted"

    @property
    def evidence(self) -> str:
        return str((self.options.evidence or {}).get("statement", ""))

    @property
    def tags(self) -> str:
        return ", ".join(self.options.tags)

    def _mapping(self, run: ImportRun) -> ColumnMap:
        if self._said is None:
            return mapping.mapping_of(run.mapping) if run.mapping else self._seen.guess
        if self._said.get("deed") == "preset":
            try:
                remembered = presets.find(str(self._said.get("preset", "")))
            except ValueError as error:
                self.fault = str(error)
                return self._seen.guess
            return ColumnMap({**self._seen.guess.columns, **remembered.columns}, remembered.key)
        if "to-0" not in self._said:
            return self._seen.guess
        columns: dict[str, Column] = {}
        for number, name in enumerate(self._seen.header):
            to = str(self._said.get(f"to-{number}", IGNORE))
            if to == _ATTRIBUTE:
                to = ATTRIBUTE + (str(self._said.get(f"attribute-{number}", "")).strip() or name)
            column = Column(to, str(self._said.get(f"type-{number}") or "auto"))
            if wrong := mapping.target_fault(column):
                self.fault = f"the column {name!r} {wrong}"
                column = Column(IGNORE)
            columns[name] = column
        key = str(self._said.get("key", ""))
        return ColumnMap(columns, key if key in mapping.IDENTIFYING else "")

    def _options(self, run: ImportRun) -> Options:
        if self._said is None:
            return options_of(run.options or {})
        statement = str(self._said.get("evidence", "")).strip()
        said = {
            "existing": self._said.get("existing") or UPDATE,
            "tags": values.several(str(self._said.get("tags", ""))),
            "lists": [slug for slug in [str(self._said.get("list", ""))] if slug],
            "consents": {"marketing": "granted"} if self._said.get("consent") == "yes" else {},
            "evidence": {"statement": statement, "file": run.name} if statement else None,
        }
        if said["consents"] and not statement:
            self.fault = "say how these people agreed to marketing: it is kept as the evidence"
        try:
            return options_of(said)
        except ValueError as error:
            self.fault = str(error)
            return Options()

    def _row(self, number: int, name: str) -> Row:
        column = self.mapping.columns.get(name, Column(IGNORE))
        samples = [row[number].strip() for row in self._seen.rows if row[number].strip()]
        is_attribute = column.to.startswith(ATTRIBUTE)
        return Row(
            number,
            name,
            list(dict.fromkeys(samples))[:SAMPLES],
            _ATTRIBUTE if is_attribute else column.to,
            column.to.removeprefix(ATTRIBUTE) if is_attribute else name,
            column.type,
        )


def format_said(said: Mapping[str, Any], run: ImportRun) -> Format:
    """Raises ValueError."""
    return format_of(
        {**run.format, **{name: said[name] for name in ("encoding", "delimiter", "quote") if name in said}}
    )


def choices(form: Format) -> dict[str, Any]:
    """What the selects of the page offer; a topic of consent that a preset names is kept as it is."""
    return {
        "format": form,
        "encodings": ENCODINGS.items(),
        "delimiters": DELIMITERS.items(),
        "quotes": QUOTES.items(),
        "targets": TARGETS,
        "types": [(name, label) for name, (label, _) in values.TYPES.items()],
        "keys": [("", "any of them, your own id first"), *((key, label) for key, label in TARGETS[0][1])],
        "existing": EXISTING.items(),
        "consent_prefix": CONSENT,
    }
