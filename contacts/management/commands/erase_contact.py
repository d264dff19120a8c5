"""`erase_contact ada@example.com` erases a person for ever, with everybody who was merged into them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any

from django.core.management.base import CommandError, CommandParser

from contacts import transactions
from contacts.management.manners import HouseCommand
from contacts.privacy import erasing, family
from contacts.privacy.family import NobodyThere


class Command(HouseCommand):
    help = "Erase a person: blank or delete whatever is stored of them. It cannot be undone."
    examples = (
        "erase_contact ada@example.com --dry-run  # how much would go, table by table",
        "erase_contact ada@example.com",
        "erase_contact ada@example.com --yes --json  # in a program: no question, counts as JSON",
    )
    exit_codes = {1: "there is no such contact, or the answer was no: nothing was erased"}
    json_of = "one JSON object: rows by table"
    dry_run = "count what would be erased, and leave it"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("contact", help="the id of the contact (a UUID), or an email, external id or phone number")
        parser.add_argument("--yes", action="store_true", help="do not ask again")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            contact_id = family.named(options["contact"])
            erase = partial(_erase, contact_id)
            if options["dry_run"]:
                done = transactions.try_out(erase)
                lines = [f"{table}: {rows}" for table, rows in done.items()]
                self.tell({"erased": False, "rows": done}, *lines, "Nothing was erased.", as_json=options["as_json"])
                return
            if not options["yes"]:
                self.stdout.write("This erases the person for ever. Type erase to go on: ", ending="")
                self.stdout.flush()
                if input().strip() != "erase":
                    raise CommandError("Nothing was erased.")
            done = transactions.run(erase)
        except NobodyThere as error:
            raise CommandError("There is no such contact.") from error
        lines = [f"{table}: {rows}" for table, rows in done.items()]
        self.tell({"erased": True, "rows": done}, *lines, "Erased.", as_json=options["as_json"])


def _erase(contact_id: int, now: datetime) -> Mapping[str, int]:
    return erasing.erase(contact_id, actor="command", now=now)
