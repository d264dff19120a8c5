"""How scores are spread, as bars for SVG. Pure; the table behind them says the numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scoring.pages.curve_chart import number
from scoring.projection.leaderboard import Distribution

HEIGHT = 100.0
LEAST_HEIGHT = 1.5  # of a band with somebody in it: one among a million is seen, too


@dataclass(frozen=True)
class Bar:
    """A band; `is_above` where everybody in it has reached the threshold."""

    top: float
    height: float
    is_above: bool
    said: str
    low: str
    high: str
    contacts: int


@dataclass(frozen=True)
class Chart:
    """`width` is one unit a band; `threshold` lies on it, or is None beside it."""

    bars: Sequence[Bar]
    threshold: float | None
    edges: Sequence[str]
    ticks: Sequence[str]

    @property
    def width(self) -> int:
        return len(self.bars)


def chart(spread: Distribution) -> Chart:
    """The height of a bar is the root of its share: a few leads are seen beside many who never did anything."""
    most = max((band.contacts for band in spread.bands), default=0) or 1
    bars = []
    for band in spread.bands:
        height = max(LEAST_HEIGHT, HEIGHT * (band.contacts / most) ** 0.5) if band.contacts else 0.0
        low, high = number(band.low), number(band.high)
        said = f"{low} to below {high}: {band.contacts:,} contact{'' if band.contacts == 1 else 's'}"
        is_above = band.low >= spread.threshold
        bars.append(Bar(round(HEIGHT - height, 2), round(height, 2), is_above, said, low, high, band.contacts))
    if not spread.bands:
        return Chart((), None, (), ())
    first, last = spread.bands[0].low, spread.bands[-1].high
    width = (last - first) / len(spread.bands)
    place = (spread.threshold - first) / width
    return Chart(
        bars=bars,
        threshold=round(place, 3) if 0 <= place <= len(bars) else None,
        edges=(number(first), number(last)),
        ticks=(f"{most:,}", f"{most / 4:,.0f}", "0"),
    )
