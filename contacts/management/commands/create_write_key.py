"""`create_write_key --name website --kind browser` prints the key, and nothing else."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from contacts import access, transactions


class Command(BaseCommand):
    help = "Make a write key of the tracking API (it may only append events) and print it. It is shown this once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--name", required=True, help="who will use it")
        parser.add_argument("--kind", choices=["browser", "server"], default="browser", help="default: browser")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            key = transactions.run(
                lambda now: access.create_key(name=options["name"], kind=options["kind"], scopes=[], now=now)
            )
        except access.BadKeyRequest as error:
            raise CommandError(str(error)) from error
        self.stdout.write(key)
