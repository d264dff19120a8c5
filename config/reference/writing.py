"""All pages of the reference."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from config.reference.api import api_page
from config.reference.commands import commands_page
from config.reference.conditions import conditions_page
from config.reference.events import events_page
from config.reference.installation import metrics_page, settings_page
from config.reference.journeys import steps_page, triggers_page

PAGES: Mapping[str, Callable[[], str]] = {
    "steps": steps_page,
    "triggers": triggers_page,
    "conditions": conditions_page,
    "events": events_page,
    "api": api_page,
    "settings": settings_page,
    "metrics": metrics_page,
    "commands": commands_page,
}


def write(folder: Path) -> list[Path]:
    """Write every page into the folder, which is made if it is not there; asks no database."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, made in PAGES.items():
        path = folder / f"{name}.md"
        path.write_text(made(), encoding="utf-8")
        written.append(path)
    return written
