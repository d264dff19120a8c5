#!/usr/bin/env python
"""Carillon's command line; `bin/up` leaves the addresses of the running services where this finds them."""

import os
import sys

from config import env


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from django.core.management import execute_from_command_line
    from django.db import OperationalError

    try:
        execute_from_command_line(sys.argv)
    except env.BadSetting as error:
        sys.exit(str(error))
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", None):
            raise  # PostgreSQL answered, and refused something: that is for a person to read in full
        advice = "" if env.text("DATABASE_URL") else "\nNo bin/up runs in this folder: start it, or set DATABASE_URL."
        sys.exit(f"PostgreSQL cannot be reached: {str(error).strip()}{advice}")


if __name__ == "__main__":
    main()
