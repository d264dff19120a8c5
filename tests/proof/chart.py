"""A chart of growth as SVG: sizes on a logarithmic axis, cost from zero, a line for each curve with its name beside it.
Light and dark by the reader's preference."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT, LEFT, TOP, BOTTOM, RIGHT = 760, 380, 64, 24, 46, 190
COLOURS = ("#2563eb", "#c2410c", "#15803d", "#7c3aed", "#be123c", "#0f766e", "#a16207")
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #334155 } .axis { stroke: #94a3b8 } .grid { stroke: #e2e8f0 }
@media (prefers-color-scheme: dark) { text { fill: #cbd5e1 } .grid { stroke: #334155 } .ground { fill: #0f172a } }
"""


@dataclass(frozen=True)
class Curve:
    """`points`: (size, microseconds of processor time an item), in the order of the sizes."""

    what: str
    points: Sequence[tuple[float, ...]]


def growth(curves: Sequence[Curve], over: str = "contacts") -> str:
    """Relative to what an item costs at the smallest size, so that all share an axis; the last cost is in the name.
    `over`: what the sizes are numbers of."""
    sizes = sorted({point[0] for curve in curves for point in curve.points})
    shares = [[(size, cost / curve.points[0][1]) for size, cost in curve.points] for curve in curves]
    most = max(2.0, math.ceil(2 * max(share for line in shares for _, share in line)) / 2)
    low, high = math.log10(sizes[0]), math.log10(sizes[-1])

    def x(size: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * ((math.log10(size) - low) / (high - low) if high > low else 0.5)

    def y(share: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share / most

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        f"<title>What an item costs by the number of {escape(over)}, beside its cost at the smallest</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="ground" width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
    ]
    step = 0.5 if most <= 10 else most / 10
    for share in (number * step for number in range(round(most / step) + 1)):
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(share):.1f}" y2="{y(share):.1f}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y(share) + 4:.1f}" text-anchor="end">{share:g}×</text>')
    parts += [
        f'<text x="{x(size):.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{size:,.0f}</text>' for size in sizes
    ]
    parts.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(0):.1f}" y2="{y(0):.1f}"/>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle:.0f}" y="{HEIGHT - 8}" text-anchor="middle">{escape(over)}</text>')
    label = 0.0
    lines = sorted(zip(curves, shares, strict=True), key=lambda each: -each[1][-1][1])
    for number, (curve, line) in enumerate(lines):
        colour = COLOURS[number % len(COLOURS)]
        path = " ".join(f"{x(size):.1f},{y(share):.1f}" for size, share in line)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2.5"/>')
        parts += [f'<circle cx="{x(size):.1f}" cy="{y(share):.1f}" r="3.5" fill="{colour}"/>' for size, share in line]
        label = max(y(line[-1][1]) + 4, label + 15)  # below the one before, never upon it
        name = f"{curve.what}, {curve.points[-1][1]:,.0f} µs"
        parts.append(f'<text x="{WIDTH - RIGHT + 10}" y="{label:.1f}" style="fill:{colour}">{escape(name)}</text>')
    return "\n".join([*parts, "</svg>", ""])
