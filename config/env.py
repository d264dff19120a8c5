"""Settings come from the environment only; each name also as NAME_FILE, for secrets kept in files."""

from __future__ import annotations

import json
import os
from datetime import datetime, time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

BASE_DIR = Path(__file__).resolve().parent.parent


class BadSetting(Exception):
    """A setting cannot be read; the message names it."""


def state_folder() -> Path:
    """Where this installation keeps its state."""
    return Path(os.environ.get("CARILLON_STATE_DIR") or BASE_DIR / "var")


def load_running_services() -> bool:
    """`bin/up` writes the addresses of what it started to var/run/services.json: let commands of the same folder find
    them. What the environment says wins, and an environment that names another database is another installation, to
    which nothing of this one applies. Whether anything was taken from there."""
    run = state_folder() / "run"
    try:
        services = json.loads((run / "services.json").read_text())
        known, supervisor = services["DATABASE_URL"], int((run / "lock").read_text())
    except (OSError, ValueError, LookupError, TypeError):
        return False
    if not _lives(supervisor) or text("DATABASE_URL", known) != known:
        return False
    for name, value in services.items():
        if f"{name}_FILE" not in os.environ:
            os.environ.setdefault(name, str(value))
    return True


def _lives(pid: int) -> bool:
    """Whether a process has this id: one that was killed could not remove the file."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def text(name: str, default: str = "") -> str:
    """The setting NAME, or the content of the file that NAME_FILE points at (without its last newline)."""
    if name in os.environ:
        return os.environ[name]
    path = os.environ.get(f"{name}_FILE")
    if path:
        try:
            return Path(path).read_text(encoding="utf-8").rstrip("\n")
        except OSError as error:
            raise BadSetting(f"{name}_FILE: cannot read {path}: {error.strerror}") from error
    return default


def flag(name: str, default: bool = False) -> bool:
    value = text(name).strip().lower()
    if not value:
        return default
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off"}:
        return False
    raise BadSetting(f"{name}: expected true or false, got {value!r}")


def integer(name: str, default: int, *, least: int = 0) -> int:
    value = text(name).strip()
    if not value:
        return default
    try:
        number = int(value)
    except ValueError as error:
        raise BadSetting(f"{name}: expected a whole number, got {value!r}") from error
    if number < least:
        raise BadSetting(f"{name}: must be at least {least}")
    return number


def number(name: str, default: float, *, least: float = 0.0) -> float:
    value = text(name).strip()
    if not value:
        return default
    try:
        result = float(value)
    except ValueError as error:
        raise BadSetting(f"{name}: expected a number, got {value!r}") from error
    if not result >= least:
        raise BadSetting(f"{name}: must be at least {least}")
    return result


def words(name: str, default: str = "") -> list[str]:
    """A comma-separated list."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def pairs(name: str) -> dict[str, str]:
    """A comma-separated list of name=value."""
    found = {}
    for word in words(name):
        key, equals, value = word.partition("=")
        if not equals:
            raise BadSetting(f"{name}: expected name=value, separated by commas")
        found[key.strip()] = value.strip()
    return found


def rates(name: str) -> dict[str, float]:
    """A comma-separated list of name=so many a second; names in small letters."""
    found = {}
    for key, value in pairs(name).items():
        try:
            rate = float(value)
        except ValueError as error:
            raise BadSetting(f"{name}: expected a number for {key}, got {value!r}") from error
        if not 0 < rate < float("inf"):
            raise BadSetting(f"{name}: the rate of {key} must be more than nothing")
        found[key.lower()] = rate
    return found


def time_of_day(name: str, default: str) -> time | None:
    """HH:MM; empty: never."""
    value = text(name, default).strip()
    if not value:
        return None
    try:
        return datetime.strptime(value, "%H:%M").time()
    except ValueError as error:
        raise BadSetting(f"{name}: expected HH:MM, got {value!r}") from error


def limit(name: str) -> int | None:
    """A whole number; empty: no limit."""
    return integer(name, 0) if text(name).strip() else None


def database(url: str, *, name: str = "DATABASE_URL") -> dict[str, Any]:
    """Django's DATABASES entry for a postgres:// URL; its query becomes driver options (sslmode=require)."""
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"} or not parts.path.strip("/"):
        raise BadSetting(f"{name}: expected postgres://user:password@host:port/name")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path[1:]),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or ""),
        "OPTIONS": dict(parse_qsl(parts.query)),
    }
