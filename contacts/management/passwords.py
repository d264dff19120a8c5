"""The password of a role that a command makes: from the environment, or typed; never an argument, which everybody on
the machine could read."""

from __future__ import annotations

import os
import sys
from getpass import getpass

from django.core.management.base import CommandError

LEAST = 12  # characters


def asked(role: str, *, variable: str) -> str:
    """Raises CommandError where it is too short."""
    password = os.environ.get(variable, "")
    if not password and sys.stdin.isatty():
        password = getpass(f"Password for {role}: ")
    if len(password) < LEAST:
        raise CommandError(f"The password must have {LEAST} characters at least; put it into {variable} or type it.")
    return password
