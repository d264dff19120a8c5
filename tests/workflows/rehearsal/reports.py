"""A rehearsal that is done, its report made up: for pages that show one, where playing a past would take too long."""

from __future__ import annotations

from datetime import datetime, timedelta

from workflows.models import Rehearsal, Workflow
from workflows.rehearsal.report import Count, Day, Effort, Passed, Report, Spent, Way


def kept(workflow: Workflow, *, passed: tuple[Passed, ...], ways: tuple[Way, ...], now: datetime) -> Rehearsal:
    """Of the live version, over the last two weeks. As many entered as came to the first step; some were refused."""
    version = workflow.live_version
    assert version is not None
    until = now.replace(hour=0, minute=0, second=0, microsecond=0)
    since = until - timedelta(days=14)
    sent, held_back = sum(each.sent for each in passed), sum(each.held_back for each in passed)
    entered = passed[0].came
    report = Report(
        slug=workflow.slug,
        name=workflow.name,
        version=version.number,
        since=since.isoformat(),
        until=until.isoformat(),
        sample=100.0,
        contacts=2 * entered,
        entered=entered,
        people=entered,
        refused=(Count("re_entry", 3, "has been in it already"),),
        standing=tuple(
            Count(each.step, each.standing, version.definition["steps"][each.step].get("name", ""))
            for each in passed
            if each.standing
        ),
        states=(Count("completed", entered),),
        exits=(),
        steps=passed,
        ways=ways,
        sent=sent,
        days=tuple(
            Day(f"{since + timedelta(days=day):%Y-%m-%d}", (day * 7) % 12 + 3, held_back // 14) for day in range(14)
        ),
        most_to_one=2,
        per_contact=(Count("1", entered),),
        held_back=(Count("frequency_cap", held_back, "the frequency cap was reached"),) if held_back else (),
        stuck=(),
        beyond=(),
        spent=Spent(entered, 172_800.0, 259_200.0, 500_000.0),
        collisions=(),
        comparison=None,
        notes=("Everybody starts outside: whoever was under way when the period began is not.",),
        effort=Effort(facts=1200, copying_seconds=0.4, playing_seconds=3.2, facts_a_second=375, unmatched_feedback=0),
    )
    return Rehearsal.objects.create(
        workflow=workflow, number=version.number, since=since, until=until, state="done", report=report.as_dict(),
        played=1200, expected=1200, played_to=until, asked={"run_out": False}, asked_by="maya", asked_at=now,
        started_at=now, finished_at=now,
    )  # fmt: skip
