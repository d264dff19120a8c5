"""Mappings that somebody wants to use again, by name."""

from __future__ import annotations

from contacts.importing.mapping import ColumnMap, mapping_of
from contacts.models import ImportPreset

LONGEST_NAME = 100


def find(name: str) -> ColumnMap:
    """Raises ValueError where there is no such preset."""
    preset = ImportPreset.objects.filter(name=name).first() if name.isprintable() else None
    if preset is None:
        raise ValueError(f"there is no preset {name!r}")
    return mapping_of(preset.mapping)


def names() -> list[str]:
    return list(ImportPreset.objects.order_by("name").values_list("name", flat=True))


def remember(name: str, mapping: ColumnMap) -> None:
    """Under this name, instead of what was remembered under it. Raises ValueError for a name that cannot be."""
    name = name.strip()
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise ValueError(f"a preset needs a name of 1 to {LONGEST_NAME} characters")
    ImportPreset.objects.update_or_create(name=name, defaults={"mapping": mapping.as_json()})


def forget(name: str) -> None:
    ImportPreset.objects.filter(name=name).delete()
