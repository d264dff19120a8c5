"""Every command of ours, as its own help tells it."""

from __future__ import annotations

import argparse

from django.core.management import get_commands, load_command_class

from config.reference.markdown import cell, code, page, table
from contacts.management.manners import HouseCommand

APPS = ("config", "contacts", "scoring", "delivery", "workflows", "analytics")
DJANGOS = {"-h", "--version", "-v", "--settings", "--pythonpath", "--traceback", "--no-color", "--force-color"}


def ours() -> dict[str, HouseCommand]:
    """By name."""
    named = ((name, load_command_class(app, name)) for name, app in sorted(get_commands().items()) if app in APPS)
    return {name: command for name, command in named if isinstance(command, HouseCommand)}


def commands_page() -> str:
    parts = []
    for name, command in ours().items():
        parser = command.create_parser("manage.py", name)
        rows = [
            (code(_spelt(action)), str(action.help or "") % _words(action, parser))
            for action in parser._actions
            if not DJANGOS & set(action.option_strings) and "--skip-checks" not in action.option_strings
        ]
        parts += [
            f"## {name}",
            cell(command.help),
            table(("Argument", "What it is"), rows),
            f"```text\n{command.epilog()}\n```",
        ]
    return page(
        "Commands",
        "Each is called as `.venv/bin/python manage.py NAME`, with the settings of the installation in its "
        "environment; `--help` tells the same. With `--json` the result is one JSON object on standard output, and "
        "whatever hinders is said on standard error, as ever. Long work shows how far it is.",
        *parts,
    )


def _spelt(action: argparse.Action) -> str:
    if not action.option_strings:
        return str(action.metavar or action.dest).upper() if action.nargs != "?" else f"[{action.dest.upper()}]"
    value = "" if action.nargs == 0 else f" {action.metavar or action.dest.upper()}"
    if action.choices is not None and action.nargs != 0:
        value = f" {'|'.join(str(each) for each in action.choices)}"
    return " ".join([", ".join(action.option_strings)]) + value


def _words(action: argparse.Action, parser: argparse.ArgumentParser) -> dict[str, object]:
    return vars(action) | {"prog": parser.prog}
