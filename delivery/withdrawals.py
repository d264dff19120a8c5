"""What the post office does when somebody withdraws: their consent, or themselves.

Both decide under the lock of the contact, which the gate takes before it reads. Withdrawn first: the gate reads it and
sends nothing. Claimed first: the claim is visible once the withdrawal is committed, and `drain` waits until its outcome
is known or its lease has passed. So when the withdrawal is acknowledged, no request that it forbids can start."""

from __future__ import annotations

import time
from collections.abc import Collection
from datetime import datetime

from django.conf import settings
from django.db import connection

from contacts import chaos
from contacts.models import Contact, ContactIdentity
from delivery import addresses, outbox
from delivery.suppression import STEP_SECONDS
from delivery.webhooks import bodies

ENDS_MARKETING = frozenset({"marketing", "data_processing"})  # the categories without which nothing is advertised


def drain(contact_ids: Collection[int]) -> None:
    """Wait until no request to these contacts can start that was claimed before. Call after the commit."""
    if chaos.mutant("withdrawals_are_not_drained"):
        return  # a drill may build in the belief that the next look of the gate is soon enough
    give_up = time.monotonic() + settings.SEND_LEASE_SECONDS + 0.1
    while _may_start(contact_ids) and time.monotonic() < give_up:
        time.sleep(STEP_SECONDS)


def _may_start(contact_ids: Collection[int]) -> bool:
    with connection.cursor() as cursor:
        # now(), not a parameter: each look is a transaction of its own and must read the lease by the present clock
        cursor.execute(
            """
            SELECT EXISTS (SELECT 1 FROM outbox
                            WHERE contact_id = ANY(%s) AND state = 'sending' AND lease_until > now())
            """,
            [list(contact_ids)],
        )
        return cursor.fetchone()[0]


def forget(contact_ids: Collection[int], *, now: datetime) -> None:
    """Before these contacts are blanked, in the transaction of their erasure: what is queued for them is cancelled, the
    bodies of webhooks that name them are emptied, and of their addresses no more than tombstones stays."""
    known = _addresses_of(contact_ids)
    bodies.empty(contact_ids, known)
    outbox.cancel_of_contacts(contact_ids, reason="contact_erased", now=now)
    addresses.forget(channel="email", given=known)


def _addresses_of(contact_ids: Collection[int]) -> set[str]:
    shown = Contact.objects.filter(pk__in=contact_ids).exclude(email="").values_list("email", flat=True)
    meant = ContactIdentity.objects.filter(contact_id__in=contact_ids, kind="email").values_list("value", flat=True)
    return {*shown, *meant}
