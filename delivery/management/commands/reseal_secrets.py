"""After SECRET_KEY was changed: seal the secrets of outgoing webhooks and of write keys with the new one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.management.base import CommandError
from django.db import transaction

from contacts.collect import identity_secrets
from contacts.management.manners import HouseCommand
from delivery.models import WebhookEndpoint
from delivery.outgoing import sealing


class Command(HouseCommand):
    help = (
        "Seal the secrets of outgoing webhooks and the identity secrets of write keys with the present SECRET_KEY. Run"
        " it after the key was changed, while SECRET_KEY_FALLBACKS still names the one before; afterwards the fallback"
        " may go."
    )

    examples = (
        "reseal_secrets --dry-run  # can every secret be read?",
        "reseal_secrets  # before the old key leaves SECRET_KEY_FALLBACKS",
    )
    exit_codes = {1: "a secret cannot be read with any key; its endpoint or write key needs a new one"}
    json_of = "the counts as one JSON object"
    dry_run = "only say whether every secret can be read"

    def handle(self, *, dry_run: bool, as_json: bool, **_: Any) -> None:
        with transaction.atomic():
            read = [*_endpoints(dry_run=dry_run), *identity_secrets.reseal(dry_run=dry_run)]
        lost = [name for name, could_be_read in read if not could_be_read]
        done = len(read) - len(lost)
        said = f"{'readable' if dry_run else 'sealed anew'}: {done}"
        self.tell({"dry_run": dry_run, "done": done, "lost": lost}, said, as_json=as_json)
        if lost:
            raise CommandError(f"cannot be read with any key, so each needs a new secret: {', '.join(lost)}")


def _endpoints(*, dry_run: bool) -> Iterator[tuple[str, bool]]:
    found = WebhookEndpoint.objects.exclude(state="removed").select_for_update(no_key=True).order_by("pk")
    for endpoint in found:
        try:
            endpoint.sealed_secret = sealing.resealed(endpoint.sealed_secret)
            if endpoint.sealed_old_secret:
                endpoint.sealed_old_secret = sealing.resealed(endpoint.sealed_old_secret)
        except sealing.Unreadable:
            yield f"webhook {endpoint.pk}", False
            continue
        if not dry_run:
            endpoint.save(update_fields=["sealed_secret", "sealed_old_secret"])
        yield f"webhook {endpoint.pk}", True
