"""`create_api_key --name shop --scopes events:write,contacts:read` prints the key, and nothing else."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from contacts import access, transactions


class Command(BaseCommand):
    help = "Make a secret key of the API and print it. It is shown this once: only its hash is kept."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--name", required=True, help="who will use it")
        parser.add_argument("--scopes", required=True, help=f"separated by commas, of: {', '.join(access.SCOPES)}")

    def handle(self, *args: Any, **options: Any) -> None:
        scopes = [scope.strip() for scope in options["scopes"].split(",") if scope.strip()]
        try:
            key = transactions.run(
                lambda now: access.create_key(name=options["name"], kind="secret", scopes=scopes, now=now)
            )
        except access.BadKeyRequest as error:
            raise CommandError(str(error)) from error
        self.stdout.write(key)
