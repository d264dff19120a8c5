"""An `Overview` as the tables and charts of the journey's page. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.urls import reverse

from analytics.counting.overview import Day, Fates, Overview, Post, Step, Version
from delivery import wording as delivery_wording
from delivery.pages import charts
from delivery.pages.charts import Chart, Series
from workflows import wording

MOST_DAYS = 90  # of a chart: more do not fit beside each other


@dataclass(frozen=True)
class Tile:
    """`link`: the people or messages behind the number. `note` stands below it."""

    title: str
    number: int
    note: str = ""
    link: str = ""


@dataclass(frozen=True)
class Reason:
    words: str
    count: int
    link: str = ""


@dataclass(frozen=True)
class StepRow:
    """A step in the order of the journey. `share` of those who entered the journey came here. `is_gone`: the version
    whose order this is does not have it. `ends`: where those who left it went, by the port's words."""

    key: str
    name: str
    kind: str
    icon: str
    step: Step
    share: float | None
    is_gone: bool
    ends: Sequence[tuple[str, int]]

    @property
    def stopped(self) -> int:
        return sum(self.step.post.skipped.values())


@dataclass(frozen=True)
class PostRow:
    """What became of the messages of a template."""

    name: str
    post: Post
    link: str = ""

    @property
    def stopped(self) -> int:
        return sum(self.post.skipped.values())


@dataclass(frozen=True)
class VersionRow:
    version: Version
    link: str

    @property
    def exited(self) -> int:
        return sum(self.version.fates.exited.values())


@dataclass(frozen=True)
class VariantRow:
    """`completed_share` of those who took this way. `link`: the experiment's own page, if there is one."""

    experiment: str
    variant: str
    fates: Fates
    post: Post
    completed_share: float | None
    link: str = ""


def context(
    read: Overview,
    *,
    workflow_id: int,
    definition: Mapping[str, Any],
    experiments: Mapping[str, str],
    since: date | None,
    today: date,
) -> dict[str, Any]:
    """What the template of the page shows. `experiments`: the page of each."""
    days = _days(read.days, since=since, today=today)
    return {
        "tiles": tiles(read, workflow_id),
        "equation": equation(read),
        "exits": [
            Reason(wording.exit_reason(reason).capitalize(), count)
            for reason, count in sorted(read.fates.exited.items(), key=lambda each: (-each[1], each[0]))
        ],
        "refused": [
            Reason(wording.refusal(reason).capitalize(), count)
            for reason, count in sorted(read.refused.items(), key=lambda each: (-each[1], each[0]))
        ],
        "skipped": skipped(read.post, workflow_id),
        "people_chart": people_chart(read.days, days),
        "post_chart": post_chart(read.days, days),
        "is_cut": since is None and bool(read.days) and read.days[0].day < days[0],
        "steps": step_rows(read, definition),
        "templates": [
            PostRow(slug, post, _messages(workflow_id, template=slug))
            for slug, post in sorted(read.templates.items())
            if post != Post()
        ],
        "variants": [
            VariantRow(
                each.experiment,
                each.variant,
                each.fates,
                each.post,
                _share(each.fates.completed, each.fates),
                experiments.get(each.experiment, ""),
            )
            for each in read.variants
        ],
        "version_rows": [VersionRow(each, _version(workflow_id, each.number)) for each in read.versions],
        "is_balanced": bool(read.books) and all(book.balanced for book in read.books),
    }


def tiles(read: Overview, workflow_id: int) -> list[Tile]:
    fates, post = read.fates, read.post
    exited, stopped = sum(fates.exited.values()), sum(post.skipped.values())
    return [
        Tile("Entered", fates.entered, _refused_note(read), _people(workflow_id)),
        Tile("Here now", fates.here_now, f"{read.waiting:,} of them at a wait", _people(workflow_id, "here")),
        Tile("Completed", fates.completed, _of(fates.completed, fates.entered, "who entered"),
             _people(workflow_id, "completed")),
        Tile("Left early", exited, _of(exited, fates.entered, "who entered"), _people(workflow_id, "exited")),
        Tile("Failed", fates.failed, "", _people(workflow_id, "failed")),
        Tile("Sent", post.sent, f"{post.accepted:,} taken · {post.rejected:,} refused · {post.in_doubt:,} in doubt",
             _messages(workflow_id, state="accepted")),
        Tile("Delivered", post.delivered, _of(post.delivered, post.sent, "what was sent")),
        Tile("Opened by people", post.opened.unique, _reactions(post.opened.total, post.opened.unique_by_machines)),
        Tile("Clicked by people", post.clicked.unique, _reactions(post.clicked.total, post.clicked.unique_by_machines)),
        Tile("Skipped", stopped, _first_reasons(post), _messages(workflow_id)),
    ]  # fmt: skip


def equation(read: Overview) -> list[tuple[int, str]]:
    """What became of everybody who entered, ever: the right side of the book."""
    return [
        (read.pending, "pending"),
        (read.active, "active"),
        (read.waiting, "waiting"),
        (read.fates.completed, "completed"),
        (sum(read.fates.exited.values()), "left early"),
        (read.fates.failed, "failed"),
    ]


def skipped(post: Post, workflow_id: int) -> list[Reason]:
    """Messages that were not sent, by the gate's word and its reason, most frequent first."""
    found = []
    for name, count in sorted(post.skipped.items(), key=lambda each: (-each[1], each[0])):
        state, _, reason = name.partition(":")
        link = _messages(workflow_id, state=state, **({"reason": name} if reason else {}))
        found.append(Reason(delivery_wording.verdict(state, reason), count, link))
    return found


def step_rows(read: Overview, definition: Mapping[str, Any]) -> list[StepRow]:
    """The steps of the definition in the order in which they are come to, then those that only earlier versions had."""
    steps: Mapping[str, Any] = definition.get("steps") or {}
    order = in_order(steps, str(definition.get("start") or ""))
    gone = sorted(key for key in read.steps if key not in steps)
    found = []
    for key in [*order, *gone]:
        step, spec = read.steps.get(key, Step()), steps.get(key) or {}
        kind = str(spec.get("type") or "")
        found.append(
            StepRow(
                key=key,
                name=str(spec.get("name") or key),
                kind=kind.replace("_", " "),
                icon=wording.icon(kind)[0] if kind else "history",
                step=step,
                share=_share(step.entered, read.fates),
                is_gone=key not in steps,
                ends=sorted(step.left.items(), key=lambda each: (-each[1], each[0])) if len(step.left) > 1 else [],
            )
        )
    return found


def in_order(steps: Mapping[str, Any], start: str) -> list[str]:
    """Every step after all that lead to it (a definition has no circles), the first port's way first; steps that the
    start does not lead to stand at the end."""
    left: list[str] = []
    known: set[str] = set()
    stack = [(start, False)]
    while stack:
        key, is_left = stack.pop()
        if is_left:
            left.append(key)
        elif key in steps and key not in known:
            known.add(key)
            stack.append((key, True))
            stack += [(str(to), False) for to in (steps[key].get("next") or {}).values() if to]
    return [*reversed(left), *(key for key in steps if key not in known)]


def people_chart(counted: Sequence[Day], days: Sequence[date]) -> Chart:
    known = {each.day: each for each in counted}
    shown = [known.get(day) for day in days]
    return charts.lines(
        days,
        [
            Series("Entered", "info", [each.entered if each else 0 for each in shown]),
            Series("Completed", "good", [each.completed if each else 0 for each in shown]),
            Series("Left early or failed", "plain", [each.exited + each.failed if each else 0 for each in shown]),
        ],
    )


def post_chart(counted: Sequence[Day], days: Sequence[date]) -> Chart:
    known = {each.day: each for each in counted}
    shown = [known.get(day) for day in days]
    return charts.lines(
        days,
        [
            Series("Sent", "info", [each.sent if each else 0 for each in shown]),
            Series("Opened by people", "good", [each.opened if each else 0 for each in shown]),
            Series("Clicked by people", "plain", [each.clicked if each else 0 for each in shown]),
        ],
    )


def _days(counted: Sequence[Day], *, since: date | None, today: date) -> list[date]:
    """The days of the charts: those of the range, or since the first that counted anything, MOST_DAYS at most."""
    first = since or (counted[0].day if counted else today)
    first = max(min(first, today), today - timedelta(days=MOST_DAYS - 1))
    return [first + timedelta(days=n) for n in range((today - first).days + 1)]


def _share(part: int, fates: Fates) -> float | None:
    return part / fates.entered if fates.entered else None


def _of(part: int, whole: int, words: str) -> str:
    return f"{100 * part / whole:.1f}% of {words}" if whole else ""


def _reactions(total: int, machines: int) -> str:
    return f"{total:,} times in all · {machines:,} by machines"


def _refused_note(read: Overview) -> str:
    refused = sum(read.refused.values())
    return f"{refused:,} times somebody was not let in" if refused else ""


def _first_reasons(post: Post) -> str:
    most = sorted(post.skipped.items(), key=lambda each: (-each[1], each[0]))[:2]
    return " · ".join(
        f"{count:,} {delivery_wording.short_reason(name.partition(':')[2] or name)}" for name, count in most
    )


def _version(workflow_id: int, number: int) -> str:
    return reverse("admin:analytics_counter_journey", args=[workflow_id]) + f"?version={number}"


def _people(workflow_id: int, state: str = "") -> str:
    asked = f"?workflow={workflow_id}" + (f"&state={state}" if state else "")
    return reverse("admin:workflows_enrolment_changelist") + asked


def _messages(workflow_id: int, **asked: str) -> str:
    more = "".join(f"&{name}={value}" for name, value in asked.items())
    return reverse("admin:delivery_message_changelist") + f"?workflow={workflow_id}{more}"
