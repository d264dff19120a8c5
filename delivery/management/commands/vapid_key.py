"""Make a key for web push."""

from __future__ import annotations

from typing import Any

from contacts.management.manners import HouseCommand
from delivery.providers.webpush import vapid


class Command(HouseCommand):
    help = "Print a new VAPID_PRIVATE_KEY. With another key than before, every browser has to subscribe again."
    examples = ("vapid_key  # once, then keep it in VAPID_PRIVATE_KEY",)
    no_json = "prints the key alone, to be put into the settings"

    def handle(self, **_: Any) -> None:
        self.stdout.write(vapid.new_private_key())
