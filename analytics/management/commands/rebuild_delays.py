"""`manage.py rebuild_delays`: measure all delays again from the facts."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from analytics.health import delays, delays_facts
from contacts import transactions
from contacts.management.manners import HouseCommand
from contacts.progress import Progress


class Command(HouseCommand):
    help = (
        "Forgets what was measured from enrolments, the send log and the bodies of webhooks, and measures it anew. How "
        "late waits ended is kept: no fact remembers it."
    )
    examples = (
        "rebuild_delays --dry-run  # how many facts would be read",
        "rebuild_delays",
    )
    json_of = "the count as one JSON object"
    dry_run = "say how much would be measured, and leave it"

    def handle(self, *args: Any, **options: Any) -> None:
        if options["dry_run"]:
            facts = sum(newest for _, newest in delays_facts.left().values())
            lines = [f"up to {facts:,} facts would be read; nothing was changed"]
            self.tell({"facts": facts, "measured": 0}, *lines, as_json=options["as_json"])
            return
        progress = Progress(self.stderr)
        with transaction.atomic():
            delays_facts.begin_again()
        while transactions.run(lambda now: delays_facts.work(now=now)):
            far = delays_facts.left().values()
            progress.show(sum(done for done, _ in far), sum(newest for _, newest in far), "measuring the facts")
        while delays.fold():
            pass
        progress.clear()
        measured = sum(each.total for each in delays.read().values())
        self.tell({"measured": measured}, f"All delays are measured: {measured:,}.", as_json=options["as_json"])
