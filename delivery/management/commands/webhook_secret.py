"""Show the secret with which calls to other servers are signed, for whoever receives them."""

from __future__ import annotations

from typing import Any

from contacts.management.manners import HouseCommand
from delivery.outgoing import signatures


class Command(HouseCommand):
    help = "Print the secrets that sign the calls of journeys (Standard Webhooks), one a line."
    examples = ("webhook_secret  # the first one signs, the others are still accepted",)
    exit_codes = {1: "WEBHOOK_SIGNING_SECRET cannot be read"}
    no_json = "prints secrets alone, one a line, to be put into another program's settings"

    def handle(self, **_: Any) -> None:
        for secret in signatures.secrets():
            signatures.key_of(secret)  # says so here if it cannot be read, rather than at the first call
            self.stdout.write(secret)
