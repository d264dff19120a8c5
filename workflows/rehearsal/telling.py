"""A report as text, for a terminal: tables that a marketer can read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta

from workflows.rehearsal.report import Comparison, Count, Report

BAR = 40
WHAT = {
    "only_really": "entered really, but not in the rehearsal",
    "only_rehearsed": "entered in the rehearsal, but not really",
    "another_way": "took another path",
    "another_end": "ended otherwise",
}
STATES = {
    "pending": "waiting to be let in",
    "active": "about to go on",
    "waiting": "waiting at a step",
    "completed": "came to an end of the journey",
    "exited": "left before the end",
    "failed": "failed at a step",
}


def lines(report: Report) -> Iterator[str]:
    """The whole report, line by line."""
    which = "the draft" if report.version is None else f"version {report.version}"
    yield f"{report.name} ({report.slug}), {which}, from {report.since[:16]} to {report.until[:16]} UTC"
    yield f"{report.contacts:,} contacts; nothing was sent."
    yield ""
    yield f"Entered        {report.entered:>9,}  ({_people(report.people)})"
    yield from _table("Not let in", report.refused)
    yield from _table("How they stand", [Count(STATES.get(s.name, s.name), s.count) for s in report.states])
    yield from _table("Where the unfinished stand", report.standing)
    yield from _table("Why they left", report.exits)
    for way in report.ways:
        yield ""
        yield f"Paths out of {_name(way.step, way.label)}"
        for port, share in zip(way.ports, way.shares, strict=True):
            yield f"  {port.name:<40} {port.count:>9,}  {share:5.1f} %"
    yield ""
    yield f"Messages sent  {report.sent:>9,}  (at most {report.most_to_one:,} to one contact)"
    yield from _days(report)
    yield from _table("Messages for each contact", report.per_contact)
    yield from _table("Messages held back", report.held_back)
    yield from _table("Stuck: unfinished, and nothing will move them", report.stuck)
    yield from _table("Waiting beyond the end", report.beyond)
    if report.spent is not None:
        spent = report.spent
        yield ""
        yield f"Time under way: half of them up to {span(spent.median)}, nine in ten up to {span(spent.ninetieth)}"
    if report.collisions:
        yield ""
        yield "Within a day of messages of other journeys"
        for other in report.collisions:
            yield f"  {other.name:<40} {other.messages:>9,}  messages to {_people(other.contacts)}"
    if report.comparison is not None:
        yield from _comparison(report.comparison)
    yield ""
    for note in report.notes:
        yield f"Note: {note}"
    effort = report.effort
    yield (
        f"{effort.facts:,} facts in {effort.playing_seconds:,.1f} s ({effort.facts_a_second:,} a second), after "
        f"{effort.copying_seconds:,.1f} s of copying"
    )


def span(seconds: float) -> str:
    """A length of time, roughly."""
    whole = timedelta(seconds=round(seconds))
    hours, minutes = whole.seconds // 3600, whole.seconds % 3600 // 60
    if whole.days:
        return f"{whole.days} d {hours} h" if hours else f"{whole.days} d"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {whole.seconds % 60} s"


def _days(report: Report) -> Iterator[str]:
    most = max((day.sent for day in report.days), default=0)
    for day in report.days:
        held = f"  {day.held_back:,} held back" if day.held_back else ""
        yield f"  {day.day} {day.sent:>9,}  {'█' * round(day.sent * BAR / most) if most else ''}{held}"


def _comparison(comparison: Comparison) -> Iterator[str]:
    yield ""
    yield f"Beside what really happened: {comparison.same:,} of {comparison.really:,} entries took the same path"
    if comparison.same:
        yield f"  journal rows lie {comparison.apart:g} s apart (95 in 100), {comparison.farthest:g} s at most"
    for each in comparison.differences:
        yield f"  {WHAT.get(each.name, each.name):<40} {each.count:>9,}"
    for found in comparison.examples[:5]:
        yield f"  contact {found.contact}, entry {found.entry}: {WHAT[found.what]}"
        yield f"    really:    {found.really or 'did not enter'}"
        yield f"    rehearsed: {found.rehearsed or 'did not enter'}"


def _table(title: str, counts: Sequence[Count]) -> Iterable[str]:
    if not counts:
        return
    yield ""
    yield title
    for each in counts:
        yield f"  {_name(each.name, each.label):<40} {each.count:>9,}"


def _name(name: str, label: str) -> str:
    return f"{label} ({name})" if label and label != name else name


def _people(number: int) -> str:
    return f"{number:,} contact{'' if number == 1 else 's'}"
