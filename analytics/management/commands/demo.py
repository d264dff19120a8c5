"""The demonstration, run by `bin/up --demo` against the services that it started."""

from __future__ import annotations

import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError, CommandParser
from django.db import DatabaseError, connection, transaction

from analytics.counting import books
from analytics.demo import figures, replay, sources
from analytics.demo.board import Board
from contacts import access, clock
from contacts.management.manners import HouseCommand
from contacts.models import ApiKey, Contact
from scoring.rulesets import versions
from workflows import importing
from workflows.definition import reading

SAMPLES = Path(settings.BASE_DIR) / "workflows" / "samples"
JOURNEYS = ("first-order", "large-order", "mql-hand-off", "sales-hand-over", "second-order")  # that purchases start
SLICE = 4000  # purchases of the first days; --all replays everything
DAY_SECONDS = 86_400
PATIENCE_SECONDS = 300.0
QUIET_LOOKS = 4  # half a second apart: longer than the sweep needs to ring for what nobody was rung for
RULES: list[dict[str, Any]] = [
    {"name": "Ordered", "signal": {"event": "order_completed"}, "points": 20,
     "decay": {"type": "half_life", "period": "P30D"}, "cap": 60},
    {"name": "Large order", "signal": {"event": "order_completed", "where":
     {"field": "event.total", "op": "gte", "value": 60}}, "points": 15,
     "decay": {"type": "half_life", "period": "P30D"}, "cap": 30},
    {"name": "Opened an e-mail", "signal": {"event": "email_opened"}, "points": 8,
     "decay": {"type": "half_life", "period": "P14D"}, "cap": 24},
    {"name": "Clicked in an e-mail", "signal": {"event": "email_clicked"}, "points": 15,
     "decay": {"type": "half_life", "period": "P14D"}, "cap": 30},
    {"name": "Director", "signal": {"field": "job_title", "op": "contains", "value": "Director"}, "points": 15},
    {"name": "Large company", "signal": {"field": "company_size", "op": "gte", "value": 500}, "points": 10},
]  # fmt: skip


class Command(HouseCommand):
    help = "Import contacts, publish the sample journeys and replay real purchases through the public API."
    examples = (
        "demo  # what `bin/up --demo` does, in an installation that runs",
        "demo --limit 500 --exit-figures",
    )
    exit_codes = {1: "a book does not balance, or something was still open in the end"}
    no_json = "is a show; --exit-figures ends it with one `name: value` a line"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--all", action="store_true", help="replay every purchase, not only the first days'")
        parser.add_argument("--speed", type=float, help="what the installation runs at; it is an error to differ")
        parser.add_argument("--exit-figures", action="store_true", help="end with one `name: value` a line")
        parser.add_argument("--limit", type=int, default=SLICE, help=f"how many purchases to replay (default {SLICE})")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["speed"] and options["speed"] != settings.TIME_SPEED:
            raise CommandError(f"the installation runs at TIME_SPEED={settings.TIME_SPEED:g}; start it with that speed")
        now = clock.now()
        self._import_contacts()
        self._publish_samples(now)
        external_ids = list(
            Contact.objects.exclude(external_id="").order_by("id").values_list("external_id", flat=True)[:50_000]
        )
        purchases = sources.purchases()
        if not options["all"]:
            purchases = purchases[: options["limit"]]
        self.stdout.write(
            f"replaying {len(purchases):,} purchases at {settings.TIME_SPEED:,.0f} times the speed of life"
        )
        board = Board(sys.stdout)
        name = f"Demonstration {now:%Y-%m-%d %H:%M:%S}"
        with transaction.atomic():
            key = access.create_key(name=name, kind="secret", scopes=["events:write"], now=now)
        try:
            sent = replay.replay(
                purchases,
                url=settings.PUBLIC_URL,
                api_key=key,
                run=f"demo-{now:%Y%m%d%H%M%S}",
                external_ids=external_ids,
                seconds_per_day=DAY_SECONDS / settings.TIME_SPEED,
                progress=_Throttled(board),
            )
        except replay.NotTaken as error:
            raise CommandError(str(error)) from error
        finally:
            ApiKey.objects.filter(name__startswith="Demonstration ", revoked_at=None).update(revoked_at=clock.now())
        if sent.rejected:
            self.stderr.write(f"{sent.rejected} purchases were rejected")
        last = self._wait_until_done(board)
        unbalanced = [book for book in books.balance() if not book.balanced]
        if options["exit_figures"]:
            self.stdout.write("")
            for text in figures.closing_lines(last, balanced=not unbalanced):
                self.stdout.write(text)
        else:
            self.stdout.write(f"\nEverything has come to rest, and the books {'do not ' if unbalanced else ''}balance.")
        for book in unbalanced:
            self.stderr.write(f"does not balance: {book.name}: {book.left} is not {book.right}")
        if unbalanced or last.open_work:
            raise CommandError("the demonstration ended with open ends")

    def _import_contacts(self) -> None:
        folder = Path(settings.BASE_DIR) / "var"
        call_command("import_contacts", str(sources.contacts_file(folder)), stdout=self.stdout, stderr=self.stderr)

    def _publish_samples(self, now: datetime) -> None:
        with transaction.atomic():
            versions.activate(name="lead", title="Orders and interest", rules=RULES, mql_threshold=60, now=now)
        for name in JOURNEYS:
            document = reading.read((SAMPLES / f"{name}.yaml").read_text(encoding="utf-8"))
            imported = importing.import_document(document, by="demonstration", publish=True, now=now)
            self.stdout.write(f"published {imported.slug} as version {imported.version}")

    def _wait_until_done(self, board: Board) -> figures.Figures:
        """Until nothing is open in QUIET_LOOKS looks running, or our patience ends."""
        until = time.monotonic() + PATIENCE_SECONDS
        quiet = 0
        while True:
            seen = _read()
            quiet = quiet + 1 if seen is not None and not seen.open_work else 0
            if seen is not None:
                board.show(seen, last=quiet == QUIET_LOOKS or time.monotonic() > until)
                if quiet == QUIET_LOOKS:
                    return seen
                if time.monotonic() > until:
                    still = ", ".join(f"{name} {count}" for name, count in seen.open_work.items())
                    self.stderr.write(f"still open after {PATIENCE_SECONDS:.0f} s: {still}")
                    return seen
            time.sleep(0.5)


class _Throttled:
    """Shows the board at most twice a second while the replay goes on."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._next = 0.0

    def __call__(self, sent: replay.Sent) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + 0.5
            seen = _read()
            if seen is not None:
                self._board.show(seen)


def _read() -> figures.Figures | None:
    """The figures, or None while PostgreSQL is away."""
    try:
        return figures.read(clock.now())
    except DatabaseError:
        connection.close()
        return None
