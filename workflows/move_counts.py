"""What a batch of the engine tells the counters: arrivals and departures by step, ends of journeys, where everybody
stands, and the same by the variants that they had taken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from workflows import variants, versions
from workflows.signals import Moved

if TYPE_CHECKING:
    from workflows.moves import Batch, Claimed

Standing = Counter[tuple[int, str, str]]  # version, step, state


def standing(batch: Batch, last: Iterable[int]) -> Standing:
    """Who stands no longer where the claim found them, and where they stand now. `last`: the kind of the last move of
    each."""
    counts: Standing = Counter()
    named = list(batch.kinds)
    for number, amount in Counter(last).items():
        kind = named[number]
        if kind.state in ("active", "waiting"):
            counts[kind.version_id, kind.target, kind.state] += amount
    counts.subtract(
        [(row.version_id, row.step, row.state) for row in (move.claimed for move in batch.moves) if row.state]
    )
    return counts


def told(batch: Batch, compiled: Mapping[int, versions.CompiledVersion], standing: Standing) -> tuple[Moved, ...]:
    """Everything that a batch has to tell. One statement where a version has an experiment, else none."""
    counts: Counter[tuple[int, str, str, str]] = Counter()
    _count_steps(batch, counts)
    for where, amount in standing.items():
        counts[*where, ""] += amount
    if splitting := {version_id for version_id, version in compiled.items() if version.splits}:
        _count_variants(batch, splitting, counts)
    return tuple(
        Moved(compiled[version_id].workflow_id, version_id, step, metric, amount, variant)
        for (version_id, step, metric, variant), amount in sorted(counts.items())
        if amount
    )


def back_to_waiting(kept: Iterable[Claimed]) -> tuple[Moved, ...]:
    """Those who were admitted to go on with a wait, and wait on."""
    places = Counter((row.version_id, row.step) for row in kept if row.state == "active")
    compiled = versions.load(version_id for version_id, _ in places)
    return tuple(
        Moved(compiled[version_id].workflow_id, version_id, step, state, amount * sign)
        for (version_id, step), amount in sorted(places.items())
        for state, sign in (("active", -1), ("waiting", 1))
    )


def _count_steps(batch: Batch, counts: Counter[tuple[int, str, str, str]]) -> None:
    """Who arrived at each step and how they left it, and whose journey ended how."""
    arrivals = (move.claimed for move in batch.moves if not move.claimed.resumed)
    for (version_id, step), amount in Counter((row.version_id, row.step) for row in arrivals).items():
        counts[version_id, step, "entered", ""] += amount
    named = list(batch.kinds)
    for number, amount in Counter(move.kind for move in batch.moves).items():
        kind = named[number]
        if kind.outcome == "advanced":
            counts[kind.version_id, kind.step, f"left:{kind.port}", ""] += amount
        if kind.state == "completed":
            counts[kind.version_id, "", "completed", ""] += amount
        elif kind.state == "exited":
            counts[kind.version_id, "", f"exited:{kind.exit_reason}", ""] += amount


def _count_variants(batch: Batch, splitting: set[int], counts: Counter[tuple[int, str, str, str]]) -> None:
    """What those did who had taken a variant before the step; and the taking."""
    moves = [move for move in batch.moves if move.claimed.version_id in splitting]
    taken = variants.of({move.claimed.id: move.claimed.version_id for move in moves})
    named = list(batch.kinds)
    for move in moves:
        kind, seq = named[move.kind], move.claimed.seq + 1
        for each in taken.get(move.claimed.id, ()):
            if each.seq > seq:
                break
            if each.seq == seq:
                counts[kind.version_id, "", "entered", each.name] += 1
            else:
                if not move.claimed.resumed:
                    counts[kind.version_id, kind.step, "entered", each.name] += 1
                if kind.outcome == "advanced":
                    counts[kind.version_id, kind.step, f"left:{kind.port}", each.name] += 1
            if kind.state == "completed":
                counts[kind.version_id, "", "completed", each.name] += 1
            elif kind.state == "exited":
                counts[kind.version_id, "", f"exited:{kind.exit_reason}", each.name] += 1
