"""How far a long piece of work is."""

from __future__ import annotations

import io

from contacts.progress import Progress


class Screen(io.StringIO):
    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


def test_on_a_terminal_a_bar_moves_in_its_line():
    screen = Screen(terminal=True)
    progress = Progress(screen)
    progress.show(50, 100, "5 rows")
    assert "\n" not in screen.getvalue()
    assert " 50%  5 rows" in screen.getvalue()
    progress.clear()
    assert screen.getvalue().endswith("\r\x1b[2K")


def test_elsewhere_there_are_plain_lines():
    screen = Screen(terminal=False)
    progress = Progress(screen, every=0.0)
    progress.show(50, 100, "5 rows")
    progress.show(100, 100, "9 rows")
    progress.clear()
    assert screen.getvalue() == " 50%  5 rows\n100%  9 rows\n"
