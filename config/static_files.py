"""Whether what browsers load has been collected already: collecting takes as long as everything else of a start."""

from __future__ import annotations

import hashlib
from pathlib import Path

from config import env
from config.state import State


class Collected:
    """Compares what would be collected with what was. The packages' files change only when packages are installed."""

    def __init__(self, state: State) -> None:
        self.note = state.run / "static-files"
        self.root = Path(env.text("STATIC_ROOT") or env.BASE_DIR / "var" / "static")

    def is_current(self) -> bool:
        try:
            return self.root.is_dir() and self.note.read_text() == self.signature() != ""
        except OSError:
            return False

    def remember(self) -> None:
        self.note.write_text(self.signature())

    def signature(self) -> str:
        """Of the installed packages, the settings that matter, and the size and age of every file of ours."""
        installed = env.BASE_DIR / ".venv" / "installed.json"
        if not installed.exists():
            return ""  # made by hand: anything may have changed
        parts = [installed.read_text(), env.text("STATIC_STORAGE"), str(self.root)]
        for path in sorted(env.BASE_DIR.glob("*/static/**/*")):
            found = path.stat()
            parts.append(f"{path} {found.st_size} {found.st_mtime_ns}")
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()
