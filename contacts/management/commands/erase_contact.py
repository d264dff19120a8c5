"""`erase_contact ada@example.com` erases a person for ever, with everybody who was merged into them."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from contacts import transactions
from contacts.privacy import erasing, family
from contacts.privacy.family import NobodyThere


class Command(BaseCommand):
    help = "Erase a person: blank or delete whatever is stored of them. It cannot be undone."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("contact", help="the id of the contact (a UUID), or an email, external id or phone number")
        parser.add_argument("--yes", action="store_true", help="do not ask again")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            contact_id = family.named(options["contact"])
            if not options["yes"]:
                self.stdout.write("This erases the person for ever. Type erase to go on: ", ending="")
                self.stdout.flush()
                if input().strip() != "erase":
                    raise CommandError("Nothing was erased.")
            done = transactions.run(lambda now: erasing.erase(contact_id, actor="command", now=now))
        except NobodyThere as error:
            raise CommandError("There is no such contact.") from error
        for table, rows in done.items():
            self.stdout.write(f"{table}: {rows}")
        self.stdout.write("Erased.")
