"""`manage.py frozen`: what stands still, why, and what would go on."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from analytics.health import held_back
from contacts import clock, freezing, restored
from contacts.management.manners import HouseCommand
from workflows.models import Workflow


class Command(HouseCommand):
    help = (
        "Looks whether this database is a restored copy, which freezes it; and says what is frozen, since when and "
        "why, and what would be sent and go on if it were released: counts and examples by workflow, ids and no "
        "addresses."
    )
    examples = ("frozen  # what stands still, and what would go on", "frozen --json")
    json_of = "the freezes that stand and what they hold back as one JSON object"

    def handle(self, *args: Any, **options: Any) -> None:
        restored.beat()
        now = clock.now()
        standing, found = freezing.standing(), held_back.read(now=now)
        slugs = dict(Workflow.objects.filter(pk__in=[each.workflow_id for each in standing]).values_list("pk", "slug"))
        freezes = [
            {
                "workflow": slugs.get(each.workflow_id or 0),
                "kind": each.kind,
                "since": each.began_at,
                "by": each.began_by,
                "reason": each.reason,
                "snapshot_at": each.snapshot_at,
            }
            for each in standing
        ]
        is_frozen = any(each.workflow_id is None for each in standing)
        result = {"frozen": is_frozen, "freezes": freezes, "held": [asdict(of) for of in found]}
        self.tell(result, *_lines(freezes, found), as_json=options["as_json"])


def _lines(freezes: list[dict[str, Any]], found: list[held_back.Of]) -> list[str]:
    lines = [] if freezes else ["Nothing is frozen."]
    for each in freezes:
        what = f"The workflow {each['workflow']}" if each["workflow"] else "Everything"
        lines.append(f"{what} is frozen since {each['since']:%Y-%m-%d %H:%M:%S} UTC by {each['by']}: {each['reason']}.")
        if each["snapshot_at"]:
            lines.append(f"It was last at work at {each['snapshot_at']:%Y-%m-%d %H:%M:%S} UTC.")
    if freezes:
        lines.append("Released, this would go on:" if found else "Released, nothing would go on at once.")
        for of in found:
            lines.append(f"  {of.slug or 'of no workflow'}")
            for held in of.held:
                more = "or more " if held.is_more else ""
                oldest = f"{held.oldest:%Y-%m-%d %H:%M:%S}"
                shown = ", ".join(held.examples)
                lines.append(f"    {held.count:>8,} {more}{held.words}, the oldest of {oldest} UTC, such as {shown}")
    return lines
