"""`verify_audit` follows the chain over the audit log, and says the first entry that differs or is missing."""

from __future__ import annotations

import re
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import connection, transaction

from contacts import seals
from contacts.management.manners import HouseCommand

_REMEMBERED = re.compile(r"([0-9]{1,18}):([0-9a-f]{64})", re.ASCII)


class Command(HouseCommand):
    help = (
        "Compare the audit log with its seals, from the first to the last, and name the first entry that differs. The "
        "last line printed is the end of the chain: kept where no administrator of the database can change it, and "
        "given to --expect later, it shows whether the log was cut off or made anew."
    )
    examples = (
        "verify_audit                             # all of it",
        "verify_audit --newest 10000 --json       # the newest links, for a program",
        f"verify_audit --expect 1200:{'9f86d081' * 8}  # is that end still in the chain?",
    )
    exit_codes = {0: "the log is as it was sealed", 1: "it is not; what is wrong stands on standard error"}
    json_of = "{whole, trouble, links, pruned, waiting, end}"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--newest", type=int, metavar="N", help="follow only the last N links; default: all")
        parser.add_argument("--expect", metavar="POSITION:DIGEST", help="an end of the chain that you remember")

    def handle(self, *args: Any, **options: Any) -> None:
        outermost = not connection.in_atomic_block
        with transaction.atomic():
            with connection.cursor() as cursor:
                if outermost:  # entries come in meanwhile, and are not to be taken for slipped in
                    cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                cursor.execute("SET LOCAL statement_timeout = 0")
            verdict = seals.verify(newest=options["newest"], expect=_remembered(options["expect"]))
        end = f"{verdict.head.position}:{verdict.head.digest.hex()}"
        said = {
            "whole": not verdict.trouble,
            "trouble": verdict.trouble,
            "links": verdict.links,
            "pruned": verdict.pruned,
            "waiting": verdict.waiting,
            "end": end,
        }
        lines = [
            f"The audit log is as it was sealed: {verdict.links} links, {verdict.pruned} of them of entries that were"
            f" let go; {verdict.waiting} entries wait for their seal.",
            end,
        ]
        self.tell(said, *([] if verdict.trouble else lines), as_json=options["as_json"])
        if verdict.trouble:
            raise CommandError(f"{verdict.trouble[:1].upper()}{verdict.trouble[1:]}.", returncode=1)


def _remembered(text: str | None) -> seals.Head | None:
    if text is None:
        return None
    match = _REMEMBERED.fullmatch(text.strip().lower())
    if match is None:
        raise CommandError("--expect: write it as verify_audit printed it, POSITION:DIGEST")
    return seals.Head(int(match[1]), bytes.fromhex(match[2]))
