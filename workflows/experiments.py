"""Who sees which variant of an experiment. Pure.

Every contact falls into one of 10,000 buckets, salted with the experiment's slug, so that two experiments share nobody
more often than chance would. A variant owns ranges of buckets, in proportion to its weight.

The rule for changing weights: a variant that shrinks gives up its last buckets, one that grows takes them over, in the
order of their numbers and of the variants; nothing else moves. So exactly as many buckets change hands as the new
shares ask for, and no rule could do with fewer. It follows that ranges depend on the weights before: they are worked
out from the weights of all published versions of the journey, one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from workflows.entry import buckets

BUCKETS = buckets.BUCKETS

Weights = Mapping[str, float]  # variant -> weight, in the order of the definition; at least one is not 0


@dataclass(frozen=True)
class Range:
    """The buckets from `start` up to, not including, `stop` belong to the variant."""

    start: int
    stop: int
    variant: str


def bucket(experiment: str, contact_id: int) -> int:
    """0 to 9,999."""
    return buckets.bucket(f"experiment:{experiment}", contact_id)


def quotas(weights: Weights) -> dict[str, int]:
    """How many buckets each variant gets: its exact share rounded down, and what is left over goes one by one to those
    who lost most by rounding, the first variants first."""
    whole = sum((Fraction(weight) for weight in weights.values()), Fraction())
    exact = {variant: Fraction(weight) * BUCKETS / whole for variant, weight in weights.items()}
    result = {variant: int(share) for variant, share in exact.items()}
    left_over = BUCKETS - sum(result.values())
    for variant in sorted(exact, key=lambda variant: result[variant] - exact[variant])[:left_over]:
        result[variant] += 1
    return result


def ranges(history: Iterable[Weights]) -> tuple[Range, ...]:
    """Who owns what once the weights were these, one after the other; in the order of the buckets."""
    owned: tuple[Range, ...] = ()
    for weights in history:
        owned = changed(owned, weights) if owned else _first(weights)
    return owned


def changed(owned: Sequence[Range], weights: Weights) -> tuple[Range, ...]:
    """The same buckets under new weights."""
    wanted = quotas(weights)
    kept: list[Range] = []
    free: list[tuple[int, int]] = []
    room = dict(wanted)
    for each in owned:  # ascending, so each variant keeps its first buckets and gives up its last
        keeps = min(each.stop - each.start, room.get(each.variant, 0))
        if keeps:
            kept.append(Range(each.start, each.start + keeps, each.variant))
            room[each.variant] -= keeps
        if each.start + keeps < each.stop:
            free.append((each.start + keeps, each.stop))
    for start, stop in free:
        place = start
        while place < stop:
            variant = next(variant for variant, missing in room.items() if missing)
            taken = min(stop - place, room[variant])
            kept.append(Range(place, place + taken, variant))
            room[variant] -= taken
            place += taken
    return _joined(kept)


def variant_of(owned: Sequence[Range], number: int) -> str:
    """Whose bucket it is."""
    return next(each.variant for each in owned if each.start <= number < each.stop)


def _first(weights: Weights) -> tuple[Range, ...]:
    start, result = 0, []
    for variant, size in quotas(weights).items():
        if size:
            result.append(Range(start, start + size, variant))
        start += size
    return tuple(result)


def _joined(pieces: Iterable[Range]) -> tuple[Range, ...]:
    """In order, neighbours of one variant as one range."""
    result: list[Range] = []
    for each in sorted(pieces, key=lambda piece: piece.start):
        if result and result[-1].variant == each.variant:
            result[-1] = Range(result[-1].start, each.stop, each.variant)
        else:
            result.append(each)
    return tuple(result)
