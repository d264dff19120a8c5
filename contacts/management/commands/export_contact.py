"""`export_contact ada@example.com --out ada.zip` writes whatever is stored of a person."""

from __future__ import annotations

import os
import sys
from typing import Any

from django.core.management.base import CommandError, CommandParser

from contacts.management.manners import HouseCommand
from contacts.privacy import exporting, family
from contacts.privacy.family import NobodyThere


class Command(HouseCommand):
    help = "Write everything that is stored of a person: as JSON, or to a file that ends in .zip, as a ZIP with CSVs."
    examples = (
        "export_contact ada@example.com --out ada.zip  # JSON and CSVs",
        "export_contact ada@example.com > ada.json",
    )
    exit_codes = {1: "there is no such contact, or the file cannot be written"}
    no_json = "prints JSON anyway"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("contact", help="the id of the contact (a UUID), or an email, external id or phone number")
        parser.add_argument("--out", help="the file to write, which nobody else may read; without it, to the terminal")

    def handle(self, *args: Any, **options: Any) -> None:
        path = options["out"]
        try:
            contact_id = family.named(options["contact"])
            if not path:
                exporting.write(contact_id, sys.stdout.buffer, form=exporting.JSON, actor="command")
                return
            form = exporting.ZIP if path.endswith(".zip") else exporting.JSON
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
                exporting.write(contact_id, out, form=form, actor="command")
        except NobodyThere as error:
            raise CommandError("There is no such contact.") from error
        except OSError as error:
            raise CommandError(f"{path}: {error.strerror}") from error
        self.stdout.write(f"Written to {path}")
