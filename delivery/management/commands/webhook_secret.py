"""Show the secret with which calls to other servers are signed, for whoever receives them."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from delivery.outgoing import signatures


class Command(BaseCommand):
    help = "Print the secrets that sign the calls of journeys (Standard Webhooks), one a line."

    def handle(self, **_: Any) -> None:
        for secret in signatures.secrets():
            signatures.key_of(secret)  # says so here if it cannot be read, rather than at the first call
            self.stdout.write(secret)
