"""The live table: redrawn in place on a terminal, a plain line every few seconds elsewhere."""

from __future__ import annotations

import time
from typing import TextIO

from analytics.demo.figures import Figures

PLAIN_EVERY_SECONDS = 5.0
REASONS = {"frequency_cap": "frequency cap", "hard_bounce": "hard bounce", "consent": "no consent"}


class Board:
    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._terminal = out.isatty()
        self._started = time.monotonic()
        self._lines_drawn = 0
        self._next_plain = 0.0

    def show(self, figures: Figures, *, last: bool = False) -> None:
        """Draw the figures; the last table stays."""
        if self._terminal:
            self._redraw(table(figures, time.monotonic() - self._started))
        elif last or time.monotonic() >= self._next_plain:
            self._next_plain = time.monotonic() + PLAIN_EVERY_SECONDS
            self._out.write(line(figures, time.monotonic() - self._started) + "\n")
            self._out.flush()

    def _redraw(self, lines: list[str]) -> None:
        if self._lines_drawn:
            self._out.write(f"\x1b[{self._lines_drawn}F")
        self._out.write("".join(f"\x1b[2K{text}\n" for text in lines))
        self._out.flush()
        self._lines_drawn = len(lines)


def line(figures: Figures, seconds: float) -> str:
    here = sum(journey.here_now for journey in figures.journeys)
    waiting = sum(journey.waiting for journey in figures.journeys)
    return (
        f"{seconds:5.0f} s  events {figures.events:,} · here now {here:,} ({waiting:,} waiting) · "
        f"sent {figures.accepted:,} · skipped {skipped(figures)} · opened {figures.opened:,} · MQLs {figures.mqls:,}"
    )


def skipped(figures: Figures) -> str:
    total = sum(figures.skipped.values())
    if not total:
        return "0"
    ordered = sorted(figures.skipped.items(), key=lambda item: (-item[1], item[0]))
    return f"{total:,} ({', '.join(f'{REASONS.get(reason, reason)} {count:,}' for reason, count in ordered)})"


def table(figures: Figures, seconds: float) -> list[str]:
    head = f"{'journey':<24}{'entered':>9}{'here now':>10}{'waiting':>9}{'completed':>11}{'exited':>8}"
    rows = [
        f"{j.name[:23]:<24}{j.entered:>9,}{j.here_now:>10,}{j.waiting:>9,}{j.completed:>11,}{j.exited:>8,}"
        for j in figures.journeys
    ]
    return [
        "",
        f"{seconds:4.0f} s   contacts {figures.contacts:,}   events {figures.events:,}   MQLs {figures.mqls:,}",
        head,
        *rows,
        f"sent {figures.accepted:,}   opened {figures.opened:,}   skipped {skipped(figures)}",
    ]
