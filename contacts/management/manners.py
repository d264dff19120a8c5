"""What every command of the house has in common: help that shows how it is called, exit codes that it tells of, and
results as JSON for whoever reads them with a program."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.core.management.base import BaseCommand, CommandParser, DjangoHelpFormatter

DONE = "done"
HINDERED = "not done; what hindered it stands on standard error"
MISUNDERSTOOD = "arguments that the command does not understand"


class HelpFormatter(DjangoHelpFormatter):
    """Paragraphs are filled; a text of several lines (the examples) stays as it is."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text if "\n" in text else super()._fill_text(text, width, indent)


class HouseCommand(BaseCommand):
    """A command that says how it is used.

    `examples`: what to type after `manage.py`, each with a comment that says what for: tests parse them.
    `exit_codes`: where 0 and 1 mean something else than DONE and HINDERED, or there are more.
    `json_of`: what `--json` prints, in words; empty where the command has no such option, and then `no_json` says why.
    A command with `json_of` tells its result by `tell`."""

    examples: ClassVar[Sequence[str]] = ()
    exit_codes: ClassVar[Mapping[int, str]] = {}
    json_of: ClassVar[str] = ""
    no_json: ClassVar[str] = ""
    # Whether settings contradict each other; Django would also load every route and page, which costs a second.
    requires_system_checks: tuple[str, ...] = ("carillon",)
    dry_run: ClassVar[str] = ""  # what `--dry-run` says instead of doing it; empty where there is no such option

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        # Django's own --version would stand in the way of a command that has versions to choose from
        kwargs = {"conflict_handler": "resolve", "formatter_class": HelpFormatter} | kwargs
        return super().create_parser(prog_name, subcommand, epilog=self.epilog(), **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        """Extend this one: it adds `--json` and `--dry-run` where the command has them."""
        if self.dry_run:
            parser.add_argument("--dry-run", action="store_true", help=self.dry_run)
        if self.json_of:
            parser.add_argument("--json", action="store_true", dest="as_json", help=f"print {self.json_of}")

    @classmethod
    def epilog(cls) -> str:
        """The end of the help: examples and exit codes, a line each."""
        codes = {0: DONE, 1: HINDERED, 2: MISUNDERSTOOD} | dict(cls.exit_codes)
        told = [f"  {code}  {meaning}" for code, meaning in sorted(codes.items())]
        shown = [f"  manage.py {example}" for example in cls.examples]
        return "\n".join(["Examples:", *shown, "", "Exit codes:", *told])

    def tell(self, result: Mapping[str, Any], *lines: str, as_json: bool) -> None:
        """The result, as one JSON object on a line of its own or as the lines that people read."""
        if as_json:
            self.stdout.write(json.dumps(result, ensure_ascii=False, default=str))
            self.stdout.flush()
            return
        for line in lines:
            self.stdout.write(line)
