"""What a page about a workflow shows: everything that was counted in it, read in one round trip.

A page asks `read(workflow_id)` and gets an `Overview`. What was counted between two days is of these days (UTC); what
stands now (`pending`, `active`, `waiting`, `here_now`) and the books know no days."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from analytics.counting import overview_rows
from analytics.counting.books import SKIPPED, Book
from analytics.counting.counted import STANDING, TEMPLATE, VARIANT
from workflows.variants import SEP


@dataclass(frozen=True)
class Reactions:
    """How often messages were opened (or clicked): `unique`: messages, by people; `total`: every time. Machines, which
    open and follow links before anybody has read them, are counted apart."""

    unique: int = 0
    total: int = 0
    unique_by_machines: int = 0
    total_by_machines: int = 0


@dataclass(frozen=True)
class Post:
    """What became of messages. `wanted` were made by a step; `sent` = accepted + rejected + in_doubt, of which nobody
    knows whether the provider has them: now, whatever the days asked for, or for good (of a variant: for good only).
    `skipped`: by reason ("suppressed:unsubscribe"), most frequent first. `other`: what else was reported, by kind
    ("soft_bounce": messages that had one)."""

    wanted: int = 0
    sent: int = 0
    accepted: int = 0
    rejected: int = 0
    in_doubt: int = 0
    delivered: int = 0
    opened: Reactions = Reactions()
    clicked: Reactions = Reactions()
    skipped: Mapping[str, int] = field(default_factory=dict)
    other: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Fates:
    """entered = here_now + completed + exits + failed, if nobody came from or went to another version. `exited`: by
    reason, most frequent first."""

    entered: int = 0
    here_now: int = 0
    completed: int = 0
    exited: Mapping[str, int] = field(default_factory=dict)
    failed: int = 0


@dataclass(frozen=True)
class Step:
    """`here_now`: everybody who stands here, `waiting` those of them at a wait; `left`: by port; `reached`: of a goal.
    `templates`: what became of this step's messages, by template."""

    entered: int = 0
    here_now: int = 0
    waiting: int = 0
    left: Mapping[str, int] = field(default_factory=dict)
    reached: int = 0
    post: Post = Post()
    templates: Mapping[str, Post] = field(default_factory=dict)


@dataclass(frozen=True)
class Variant:
    """Those who took this way at an experiment, from there on; their messages, their ends, and the steps they entered
    after it."""

    experiment: str
    variant: str
    fates: Fates = Fates()
    post: Post = Post()
    steps: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Version:
    """A version that somebody entered, or was moved to (`moved_in`) or from by an edit plan."""

    version_id: int
    number: int
    fates: Fates
    moved_in: int
    moved_out: int


@dataclass(frozen=True)
class Day:
    """A day (UTC) on which anything was counted; `sent` without those that are in doubt now; opens and clicks are
    messages, by people."""

    day: date
    entered: int
    completed: int
    exited: int
    failed: int
    sent: int
    delivered: int
    opened: int
    clicked: int


@dataclass(frozen=True)
class Overview:
    """`fates`, `refused` (entries, by reason) and `post` are of the whole workflow, or of the version asked for.
    `steps`, `templates` and `variants`: whatever was counted, those of earlier versions too. `versions` newest first,
    `days` oldest first. `books`: of the whole workflow, ever. `checked_at`: when its counters were last recounted from
    the facts (None: not yet); `wrong`: how many of them were not what the facts say."""

    fates: Fates
    pending: int
    active: int
    waiting: int
    refused: Mapping[str, int]
    post: Post
    steps: Mapping[str, Step]
    templates: Mapping[str, Post]
    variants: tuple[Variant, ...]
    versions: tuple[Version, ...]
    days: tuple[Day, ...]
    books: tuple[Book, ...]
    checked_at: datetime | None
    wrong: int


_REPORTED = frozenset({"delivered", "opened", "clicked"})
_Numbers = defaultdict[str, int]


def read(
    workflow_id: int, *, version_id: int | None = None, since: date | None = None, until: date | None = None
) -> Overview:
    """Everything, in one statement, whose cost does not depend on how many people there are. `version_id`: this version
    alone; `since` and `until`: these days and those between. Versions, books and the check are always of the whole."""
    rows = overview_rows.read(workflow_id, version_id=version_id, since=since, until=until)
    places: dict[tuple[str, str], _Numbers] = defaultdict(_numbers)  # by facet and step
    for step, metric, facet, _, amount, *_ in rows["place"]:
        places[facet, step][metric] += amount
    whole = places["", ""]
    steps = {step: numbers for (facet, step), numbers in places.items() if not facet and step}
    templates: dict[str, dict[str, _Numbers]] = defaultdict(dict)  # by template and step
    variants: dict[str, dict[str, _Numbers]] = defaultdict(dict)  # by variant and step
    for (facet, step), numbers in places.items():
        if facet.startswith(TEMPLATE):
            templates[facet.removeprefix(TEMPLATE)][step] = numbers
        elif facet:
            variants[facet.removeprefix(VARIANT)][step] = numbers
    standing = {state: sum(numbers[state] for numbers in steps.values()) for state in STANDING}
    checked_at, books = _books(workflow_id, rows)
    return Overview(
        fates=_fates(whole, here_now=sum(standing.values())),
        pending=standing["pending"],
        active=standing["active"],
        waiting=standing["waiting"],
        refused=_by_detail(whole, "refused"),
        post=_post(_summed(numbers for (facet, _), numbers in places.items() if not facet)),
        steps={step: _step(step, numbers, templates) for step, numbers in sorted(steps.items())},
        templates={slug: _post(_summed(of.values())) for slug, of in sorted(templates.items())},
        variants=tuple(_variant(name, of) for name, of in sorted(variants.items())),
        versions=_versions(rows),
        days=_days(rows["day"]),
        books=books,
        checked_at=checked_at,
        wrong=rows["wrong"][0][4] if rows["wrong"] else 0,
    )


def _numbers() -> _Numbers:
    return defaultdict(int)


def _summed(many: Iterable[Mapping[str, int]]) -> _Numbers:
    sums = _numbers()
    for numbers in many:
        for metric, amount in numbers.items():
            sums[metric] += amount
    return sums


def _by_detail(numbers: Mapping[str, int], *names: str) -> dict[str, int]:
    """{"goal_achieved": 3} of "exited:goal_achieved"; of several names, with the name. Most frequent first."""
    found = {
        metric if len(names) > 1 else metric.partition(":")[2]: amount
        for metric, amount in numbers.items()
        if ":" in metric and metric.partition(":")[0] in names
    }
    return dict(sorted(found.items(), key=lambda each: (-each[1], each[0])))


def _fates(numbers: _Numbers, *, here_now: int) -> Fates:
    exited = _by_detail(numbers, "exited")
    return Fates(numbers["entered"], here_now, numbers["completed"], exited, numbers["failed"])


def _reactions(numbers: _Numbers, name: str) -> Reactions:
    return Reactions(
        numbers[name], numbers[f"{name}_total"], numbers[f"{name}_by_machines"], numbers[f"{name}_by_machines_total"]
    )


def _post(numbers: _Numbers) -> Post:
    rejected = numbers["rejected"] - numbers["replayed"]
    in_doubt = numbers["undetermined"] + numbers["in_doubt_now"]
    reported = {metric.removesuffix("_total") for metric in numbers if metric.endswith("_total")}
    return Post(
        wanted=numbers["queued"],
        sent=numbers["accepted"] + rejected + in_doubt,
        accepted=numbers["accepted"],
        rejected=rejected,
        in_doubt=in_doubt,
        delivered=numbers["delivered"],
        opened=_reactions(numbers, "opened"),
        clicked=_reactions(numbers, "clicked"),
        skipped=_by_detail(numbers, *SKIPPED),
        other={
            kind: numbers[kind]
            for kind in sorted(reported)
            if kind.removesuffix("_by_machines") not in _REPORTED and numbers[kind]
        },
    )


def _step(key: str, numbers: _Numbers, templates: Mapping[str, Mapping[str, _Numbers]]) -> Step:
    return Step(
        entered=numbers["entered"],
        here_now=sum(numbers[state] for state in STANDING),
        waiting=numbers["waiting"],
        left=_by_detail(numbers, "left"),
        reached=numbers["reached"],
        post=_post(numbers),
        templates={slug: _post(of[key]) for slug, of in sorted(templates.items()) if key in of},
    )


def _variant(name: str, of: Mapping[str, _Numbers]) -> Variant:
    experiment, _, variant = name.partition(SEP)
    own = _summed([of.get("", {})])
    ended = own["completed"] + sum(_by_detail(own, "exited").values()) + own["failed"]
    return Variant(
        experiment=experiment,
        variant=variant,
        fates=_fates(own, here_now=own["entered"] + own["moved_in"] - own["moved_out"] - ended),
        post=_post(_summed(numbers for step, numbers in of.items() if step)),
        steps={step: numbers["entered"] for step, numbers in sorted(of.items()) if step and numbers["entered"]},
    )


def _versions(rows: Mapping[str, list[tuple[Any, ...]]]) -> tuple[Version, ...]:
    known: dict[int, _Numbers] = defaultdict(_numbers)
    for _, metric, _, _, amount, version_id, _ in rows["version"]:
        known[version_id][metric] += amount
    numbered = sorted(((row[4], row[5]) for row in rows["number"]), reverse=True)
    return tuple(
        Version(
            version_id=version_id,
            number=number,
            fates=_fates(known[version_id], here_now=sum(known[version_id][state] for state in STANDING)),
            moved_in=known[version_id]["moved_in"],
            moved_out=known[version_id]["moved_out"],
        )
        for number, version_id in numbered
        if version_id in known
    )


def _days(rows: list[tuple[Any, ...]]) -> tuple[Day, ...]:
    known: dict[date, _Numbers] = defaultdict(_numbers)
    for _, metric, _, day, amount, *_ in rows:
        known[day][metric] += amount
    return tuple(
        Day(
            day=day,
            entered=of["entered"],
            completed=of["completed"],
            exited=of["exited"],
            failed=of["failed"],
            sent=of["accepted"] + of["rejected"] - of["replayed"] + of["undetermined"],
            delivered=of["delivered"],
            opened=of["opened"],
            clicked=of["clicked"],
        )
        for day, of in sorted(known.items())
    )


def _books(workflow_id: int, rows: Mapping[str, list[tuple[Any, ...]]]) -> tuple[datetime | None, tuple[Book, ...]]:
    """The people of this instant, and the post as it was checked last."""
    sums = _numbers()
    for _, metric, _, _, amount, *_ in rows["book"]:
        sums[metric] += amount
    right = sums["here"] + sums["completed"] + sums["exited"] + sums["failed"]
    books = [Book("people", sums["entered"], right, sums["entered"] == right)]
    checked_at = None
    for _, name, _, _, left, right, at in rows["checked"]:
        checked_at = at
        if name:
            books.append(Book("post", left, right, left == right))
    return checked_at, tuple(books)
