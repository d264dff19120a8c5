"""`create_api_key --name shop --scopes events:write,contacts:read` prints the key, and nothing else."""

from datetime import datetime
from typing import Any

from django.core.management.base import CommandError, CommandParser

from contacts import access, durations, service_accounts, transactions
from contacts.management.manners import HouseCommand


class Command(HouseCommand):
    help = "Make a secret key of the API and print it. It is shown this once: only its hash is kept."
    examples = (
        "create_api_key --name shop --scopes events:write",
        "create_api_key --name crm --scopes events:write,contacts:read,contacts:write",
        "create_api_key --name nightly --scopes contacts:read --account Warehouse --expires P90D",
    )
    exit_codes = {1: "there is no such scope or service account, or the name is missing"}
    no_json = "prints the key alone, so that a shell can keep it: KEY=$(manage.py create_api_key …)"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--name", required=True, help="who will use it")
        parser.add_argument("--scopes", required=True, help=f"separated by commas, of: {', '.join(access.SCOPES)}")
        parser.add_argument("--account", metavar="NAME", help="the service account that it belongs to; default: none")
        parser.add_argument("--expires", metavar="DURATION", help="refuse it after that, as P90D; default: never")
        parser.add_argument(
            "--requests-per-minute", type=int, metavar="N", help="its own limit; default: that of the installation"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        scopes = [scope.strip() for scope in options["scopes"].split(",") if scope.strip()]

        def work(now: datetime) -> str:
            return access.create_key(
                name=options["name"],
                kind="secret",
                scopes=scopes,
                now=now,
                expires_at=now + durations.window(options["expires"], speed=1.0) if options["expires"] else None,
                requests_per_minute=options["requests_per_minute"],
                service_account=service_accounts.named(options["account"]) if options["account"] else None,
            )

        try:
            key = transactions.run(work)
        except (durations.BadDuration, OverflowError) as error:
            raise CommandError(f"--expires: {error}") from error
        except (access.BadKeyRequest, service_accounts.BadAccount) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(key)
