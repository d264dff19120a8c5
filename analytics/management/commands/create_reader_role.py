"""`manage.py create_reader_role`: the role with which Metabase, Superset or Grafana reads, and nothing more."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from analytics.reporting import reader
from contacts.management import passwords
from contacts.management.manners import HouseCommand


class Command(HouseCommand):
    help = "Makes the role that may read the marts and the reporting views, or brings it up to date."
    examples = (
        "create_reader_role  # asks for the password",
        "create_reader_role --role metabase --password-env METABASE_PASSWORD",
    )
    exit_codes = {1: "the password is too short, or our own role may not make roles"}
    json_of = "the role and what it reads as one JSON object"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--role", default=reader.ROLE, help=f"its name (default: {reader.ROLE})")
        parser.add_argument(
            "--password-env", metavar="NAME", default="READER_PASSWORD", help="the variable that holds its password"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        password = passwords.asked(options["role"], variable=options["password_env"])
        try:
            is_new = reader.create(options["role"], password=password)
        except reader.NotAllowed as error:
            raise CommandError(str(error)) from error
        database = settings.DATABASES["default"]
        result = {"role": options["role"], "made": is_new, "database": database["NAME"], "schemas": reader.SCHEMAS}
        self.tell(
            result,
            f"{options['role']} is {'made' if is_new else 'up to date'}. It reads the schemas "
            f"{' and '.join(reader.SCHEMAS)} of {database['NAME']} at {database['HOST'] or 'localhost'}.",
            as_json=options["as_json"],
        )
