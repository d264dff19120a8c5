"""`rotate_api_key PREFIX` prints the new key, and nothing else."""

from datetime import datetime
from typing import Any

from django.core.management.base import CommandError, CommandParser

from contacts import access, durations, key_rotation, transactions
from contacts.management.manners import HouseCommand
from contacts.models import ApiKey


class Command(HouseCommand):
    help = (
        "Give a key of the API a new secret and print the whole new key, this once. The old one opens as well for a "
        "time, in which programs change over; what the key may do stays as it is."
    )
    examples = (
        "rotate_api_key mk_live_k3J9xQ2a                  # both open for a day",
        "rotate_api_key mk_live_k3J9xQ2a --overlap PT0S   # it leaked: refuse the old one at once",
        "rotate_api_key mk_live_k3J9xQ2a --end-overlap    # everybody has the new one",
    )
    exit_codes = {1: "there is no such key, it is over, or its former secret still opens"}
    no_json = "prints the key alone, so that a shell can keep it: KEY=$(manage.py rotate_api_key …)"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("prefix", help="what the key begins with, as lists show it")
        parser.add_argument("--overlap", metavar="DURATION", default="P1D", help="how long the old one goes on; P1D")
        parser.add_argument(
            "--end-overlap", action="store_true", help="make no new one: refuse the old one from now on"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        prefix = options["prefix"].strip().rstrip("…_")
        key_id = ApiKey.objects.filter(prefix=prefix).values_list("pk", flat=True).first()
        if key_id is None:
            raise CommandError("no key begins with that")

        def work(now: datetime) -> str:
            if options["end_overlap"]:
                key_rotation.end_overlap(key_id, now=now)
                return ""
            overlap = durations.window(options["overlap"], speed=1.0)
            return key_rotation.rotate(key_id, overlap=overlap, now=now)

        try:
            key = transactions.run(work)
        except durations.BadDuration as error:
            raise CommandError(f"--overlap: {error}") from error
        except access.BadKeyRequest as error:
            raise CommandError(str(error)) from error
        if key:
            self.stdout.write(key)
