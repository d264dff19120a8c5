"""How far a long piece of work is."""

from __future__ import annotations

import io
import threading

import pytest
from django.core.management.base import OutputWrapper

from contacts.progress import Progress, elapsing


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


def test_the_bar_of_a_command_stays_in_its_line_too():
    screen = Screen(terminal=True)
    Progress(OutputWrapper(screen)).show(50, 100, "5 rows")
    assert "50%" in screen.getvalue() and "\n" not in screen.getvalue()


def test_elsewhere_there_are_plain_lines():
    screen = Screen(terminal=False)
    progress = Progress(screen, every=0.0)
    progress.show(50, 100, "5 rows")
    progress.show(100, 100, "9 rows")
    progress.clear()
    assert screen.getvalue() == " 50%  5 rows\n100%  9 rows\n"


def test_what_nobody_knows_the_length_of_says_how_long_it_has_taken():
    screen, said = Screen(terminal=False), threading.Event()
    screen.flush = said.set
    with elapsing(screen, "counting", every=0.01):
        assert said.wait(10)
    lines = screen.getvalue().splitlines()
    assert lines and set(lines) == {"counting: 0 s"}


def test_what_is_over_at_once_says_nothing():
    screen = Screen(terminal=False)
    with elapsing(screen, "counting"):
        pass
    assert screen.getvalue() == ""


def test_on_a_terminal_its_line_is_gone_afterwards_whatever_happened():
    screen = Screen(terminal=True)
    with pytest.raises(ValueError), elapsing(screen, "counting"):
        raise ValueError
    assert screen.getvalue() == "\r\x1b[2K"
