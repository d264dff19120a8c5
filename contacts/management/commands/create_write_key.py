"""`create_write_key --name website --kind browser` prints the key, and nothing else."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from contacts import transactions
from contacts.access import BadKeyRequest
from contacts.collect import write_keys
from contacts.management.manners import HouseCommand


class Command(HouseCommand):
    help = "Make a write key of the tracking API (it may only append events) and print it. It is shown this once."
    examples = (
        "create_write_key --name website --origin https://www.example.com",
        "create_write_key --name backend --kind server",
    )
    exit_codes = {1: "an origin or a type of event cannot be read, or the name is taken"}
    no_json = "prints the key alone, so that a shell can keep it: KEY=$(manage.py create_write_key …)"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--name", required=True, help="who will use it")
        parser.add_argument("--kind", choices=write_keys.KINDS, default="browser", help="default: browser")
        parser.add_argument(
            "--allow-event",
            action="append",
            default=[],
            metavar="TYPE",
            help="a type of event that it may send; may be repeated; default: any but our own",
        )
        parser.add_argument(
            "--origin",
            action="append",
            default=[],
            metavar="ORIGIN",
            help="a site whose pages may use it, such as https://www.example.com; may be repeated; default: any",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            key = transactions.run(
                lambda now: write_keys.create_write_key(
                    name=options["name"],
                    kind=options["kind"],
                    now=now,
                    events=options["allow_event"],
                    origins=options["origin"],
                )
            )
        except BadKeyRequest as error:
            raise CommandError(str(error)) from error
        self.stdout.write(key)
