"""After SECRET_KEY was changed: seal the secrets of outgoing webhooks with the new one."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError
from django.db import transaction

from contacts.management.manners import HouseCommand
from delivery.models import WebhookEndpoint
from delivery.outgoing import sealing


class Command(HouseCommand):
    help = (
        "Seal the secrets of outgoing webhooks with the present SECRET_KEY. Run it after the key was changed, while"
        " SECRET_KEY_FALLBACKS still names the one before; afterwards the fallback may go."
    )

    examples = (
        "reseal_webhook_secrets --dry-run  # can every secret be read?",
        "reseal_webhook_secrets  # before the old key leaves SECRET_KEY_FALLBACKS",
    )
    exit_codes = {1: "a secret cannot be read with any key; its endpoint needs a new one"}
    json_of = "the counts as one JSON object"
    dry_run = "only say whether every secret can be read"

    def handle(self, *, dry_run: bool, as_json: bool, **_: Any) -> None:
        lost = []
        with transaction.atomic():
            found = WebhookEndpoint.objects.exclude(state="removed").select_for_update(no_key=True).order_by("pk")
            for endpoint in found:
                try:
                    endpoint.sealed_secret = sealing.resealed(endpoint.sealed_secret)
                    if endpoint.sealed_old_secret:
                        endpoint.sealed_old_secret = sealing.resealed(endpoint.sealed_old_secret)
                except sealing.Unreadable:
                    lost.append(endpoint.pk)
                    continue
                if not dry_run:
                    endpoint.save(update_fields=["sealed_secret", "sealed_old_secret"])
            done = len(found) - len(lost)
        said = f"{'readable' if dry_run else 'sealed anew'}: {done}"
        self.tell({"dry_run": dry_run, "done": done, "lost": lost}, said, as_json=as_json)
        if lost:
            raise CommandError(f"cannot be read with any key, so each needs a new secret: {', '.join(map(str, lost))}")
