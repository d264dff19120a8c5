"""Erasing a person: whatever the house holds of them goes, in one transaction, and only numbers and proofs stay.

What every floor declared (`contacts.holdings`) is blanked or deleted on the guarded path; the profile is blanked and
keeps its id, so counts and books still agree; of their names no more than tombstones stays. What is written by somebody
who had begun before (an outcome, a bounce, an event under way) is wiped by the next `wipe_late`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from django.db import connection

from contacts import audit, authority, holdings, signals
from contacts.guarded import guarded_path
from contacts.holdings import Holding
from contacts.locking import lock_contacts
from contacts.models import Contact, PrivacyDeed
from contacts.privacy import deeds, family, mentions, tombstones
from contacts.privacy.family import NobodyThere

LATE = timedelta(hours=24)  # nothing that began before an erasure is still under way after so long
_KEPT_NAMES = frozenset({"email", "external_id", "phone"})  # an anonymous id is of no use once nobody is behind it


def erase(contact_id: int, *, actor: str, now: datetime) -> Mapping[str, int]:
    """Erase the person behind this contact, with everybody who was merged into it, in the caller's transaction.

    Returns the number of rows that were blanked or deleted, by table. Sends `contacts_erased` before anything is gone.
    Raises NotAllowed, NobodyThere. `actor`: who asked, as the record of the deed shows it for ever."""
    authority.require("contacts.erase_contact")
    contact_ids = _locked_family(contact_id, now=now)
    if not contact_ids or family.is_erased(contact_ids[0]):
        raise NobodyThere("there is no such contact")
    names = family.names(contact_ids)
    counts = Counter(wipe(contact_ids))
    counts["erased_identities"] = tombstones.write([name for name in names if name[0] in _KEPT_NAMES], now=now)
    _blank_profiles(contact_ids, now=now)
    done = {table: number for table, number in sorted(counts.items()) if number}
    for each in contact_ids:
        deeds.note(each, deeds.ERASE, actor=actor, counts=done if each == contact_ids[0] else {}, now=now)
    audit.note_each("contact.erased", "contact", [(each, {"erased": False}, {"erased": True}) for each in contact_ids])
    return done


def _locked_family(contact_id: int, *, now: datetime) -> list[int]:
    """Tell, then lock: what listens takes the locks that go before those of contacts. Whoever joined the family in the
    meantime is told of and locked in the next round."""
    told: set[int] = set()
    while True:
        found = family.of(contact_id)
        new = [each for each in found if each not in told]
        if not new:
            return found
        told.update(new)
        mentions.forget(family.names(new), contact_ids=new, now=now)
        signals.contacts_erased.send(sender=Contact, contact_ids=tuple(new), now=now)
        lock_contacts(told)


def wipe(contact_ids: Sequence[int]) -> dict[str, int]:
    """Blank or delete every holding of these contacts, in the caller's transaction; table -> rows that were not blank.
    The same again finds nothing."""
    counts: dict[str, int] = {}
    with guarded_path(), connection.cursor() as cursor:
        for holding in holdings.all_holdings():
            if statement := _statement(holding):
                cursor.execute(statement, {"contacts": list(contact_ids)})
                counts[holding.table] = cursor.rowcount
        cursor.execute(
            "DELETE FROM contact_merge_rows WHERE merge_id IN (SELECT id FROM contact_merges"
            " WHERE survivor_id = ANY(%(contacts)s) OR absorbed_id = ANY(%(contacts)s))",
            {"contacts": list(contact_ids)},
        )
    return counts


def wipe_late(*, now: datetime) -> Mapping[str, int]:
    """Once more for everybody who was erased lately, in the caller's transaction. Returns the number of rows that had
    come in since, by table."""
    lately = PrivacyDeed.objects.filter(deed=deeds.ERASE, at__gt=now - LATE).values_list("contact_id", flat=True)
    contact_ids = sorted(set(lately))
    if not contact_ids:
        return {}
    signals.contacts_erased.send(sender=Contact, contact_ids=tuple(contact_ids), now=now)
    return {table: number for table, number in wipe(contact_ids).items() if number}


def _statement(holding: Holding) -> str:
    if holding.erase is None:
        return f"DELETE FROM {holding.table} WHERE {holding.where}"
    if not holding.erase:
        return ""
    blank = ", ".join(f"{column} = {value}" for column, value in holding.erase.items())
    differs = " OR ".join(f"{column} IS DISTINCT FROM {value}" for column, value in holding.erase.items())
    return f"UPDATE {holding.table} SET {blank} WHERE {holding.where} AND ({differs})"


def _blank_profiles(contact_ids: Collection[int], *, now: datetime) -> None:
    Contact.objects.filter(pk__in=contact_ids).update(
        external_id="",
        email="",
        phone="",
        attributes={},
        timezone="",
        locale="",
        region="",
        owner_email="",
        frequency_cap=None,
        erased_at=now,
        updated_at=now,
    )
