"""`manage.py create_app_role`: the role as which web and workers may work, and which owns nothing."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from contacts import app_role
from contacts.management import passwords
from contacts.management.manners import HouseCommand


class Command(HouseCommand):
    help = (
        "Makes the role that works with the tables and owns none of them, or brings it up to date: it can neither "
        "change nor delete what the audit log holds, nor switch off what keeps other facts as they are. Run it as the "
        "owner of the tables, and again after every upgrade."
    )
    examples = (
        "create_app_role  # asks for the password",
        "create_app_role --role bells --password-env BELLS_PASSWORD",
    )
    exit_codes = {1: "the password is too short, the name is taken, or our own role may not make roles"}
    json_of = "the role and what it may only add to as one JSON object"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--role", default=app_role.ROLE, help=f"its name (default: {app_role.ROLE})")
        parser.add_argument(
            "--password-env", metavar="NAME", default="APP_PASSWORD", help="the variable that holds its password"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        password = passwords.asked(options["role"], variable=options["password_env"])
        try:
            is_new = app_role.create(options["role"], password=password)
        except app_role.NotAllowed as error:
            raise CommandError(str(error)) from error
        database = settings.DATABASES["default"]
        result = {"role": options["role"], "made": is_new, "database": database["NAME"], "only_added_to": app_role.KEPT}
        self.tell(
            result,
            f"{options['role']} is {'made' if is_new else 'up to date'} in {database['NAME']}. It works with every"
            f" table, owns none, and may only add to {', '.join(app_role.KEPT)}.",
            as_json=options["as_json"],
        )
