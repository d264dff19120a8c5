"""Make a key for web push."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from delivery.providers.webpush import vapid


class Command(BaseCommand):
    help = "Print a new VAPID_PRIVATE_KEY. With another key than before, every browser has to subscribe again."

    def handle(self, **_: Any) -> None:
        self.stdout.write(vapid.new_private_key())
