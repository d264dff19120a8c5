"""What `bin/up` does to the database before anything else runs."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.checks import Tags
from django.core.management import call_command
from django.db import transaction

from config import env
from config.state import State, write_private
from contacts import clock, partitions
from contacts.management.manners import HouseCommand

NAME = "admin"
KNOWN_PASSWORD = "carillon"  # noqa: S105  (for an installation that only this machine can reach)


class Command(HouseCommand):
    help = "Apply the migrations, make partitions ahead, and make a first staff login where there is none. Idempotent."
    examples = ("prepare  # after every update, before anything else starts",)
    exit_codes = {1: "the database refuses, or a setting contradicts what is stored in it"}
    json_of = "what was prepared, without the password"

    def handle(self, *args: Any, **options: Any) -> None:
        self.check(tags=[Tags.database], databases=["default"])  # e.g. that the keys of tombstones are there
        call_command("migrate", interactive=False, verbosity=0)
        with transaction.atomic():
            partitions.make_ahead(now=clock.now())
        state = State(env.state_folder())
        state.run.mkdir(mode=0o700, parents=True, exist_ok=True)
        login = first_login(state)
        write_private(state.login, login)
        if options["as_json"]:
            self.tell({"migrated": True, "login_is_known": bool(login)}, as_json=True)


def first_login(state: State) -> str:
    """The demonstration's login as one line, or an empty one when the staff has its own. An installation that the world
    can reach gets a random password, kept in its state folder."""
    password = KNOWN_PASSWORD
    if urlsplit(settings.PUBLIC_URL).hostname not in {"127.0.0.1", "localhost", "::1"}:
        password = state.secret("admin-password")[:16]
    users = get_user_model().objects
    staff = users.filter(is_staff=True)
    if not staff.exists():
        users.create_superuser(NAME, email="", password=password)
        return f"{NAME} / {password}"
    admin = staff.filter(username=NAME).first()
    return f"{NAME} / {password}" if admin is not None and admin.check_password(password) else ""
