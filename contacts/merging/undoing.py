"""Parting two people who were merged by mistake, as far as it can be told whose is whose.

What the merge moved goes back, if the survivor still has it; so do events that were recorded for the absorbed contact
by its own id since. What the merge wrote into the survivor's profile is taken back where nobody changed it since. What
came since under a name is the survivor's: nothing tells whose it was. Journeys that ended as `contact_merged` stay
ended, and tags or lists that were removed since stay removed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import connection

from contacts import audit, authority, changes, signals
from contacts.changes import Change
from contacts.merging import consents, rows
from contacts.merging.merge import EVERYTHING, hold, write
from contacts.merging.profiles import Profile
from contacts.signals import Merged
from contacts.upserting import same

SOURCE = "merge_undone"


class NotUndone(ValueError):
    """The merge stays. `code`: unknown · undone · erased · absorbed."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def undo(merge_id: int, *, actor: str, now: datetime) -> Merged:
    """Part the two contacts again, in the caller's transaction. Raises NotUndone: of several merges in a row the last
    one is undone first; NotAllowed."""
    authority.require("contacts.change_contact")
    merge, _, _ = _ledger(merge_id)
    profiles = hold([merge.survivor_id, merge.absorbed_id])
    merge, before, undone = _ledger(merge_id)  # once more, under the locks
    survivor = profiles[merge.survivor_id]
    _check(undone, survivor, profiles[merge.absorbed_id])
    said = _restore(survivor, before, now)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE contacts SET merged_into_id = NULL, updated_at = %s WHERE id = %s", [now, merge.absorbed_id]
        )
        cursor.execute("UPDATE contact_merges SET undone_at = %s, undone_by = %s WHERE id = %s", [now, actor, merge_id])
    rows.move_back(merge)
    consents.loosen(merge)
    changes.append(said, source=SOURCE, now=now)
    pair = {"survivor": merge.survivor_id, "absorbed": merge.absorbed_id}
    audit.note("contact.merge_undone", of=("merge", merge_id), before=pair)
    signals.merges_undone.send(sender=Merged, merges=(merge,), now=now)
    changes.tell([merge.survivor_id, merge.absorbed_id], EVERYTHING, now)
    return merge


def _ledger(merge_id: int) -> tuple[Merged, dict[str, Any], bool]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, survivor_id, absorbed_id, before::text, undone_at IS NOT NULL"
            "  FROM contact_merges WHERE id = %s",
            [merge_id],
        )
        row = cursor.fetchone()
    if row is None:
        raise NotUndone("unknown", "there is no such merge")
    return Merged(*row[:3]), json.loads(row[3]), row[4]


def _check(undone: bool, survivor: Profile, absorbed: Profile) -> None:
    if undone:
        raise NotUndone("undone", "this merge was undone already")
    if survivor.erased or absorbed.erased:
        raise NotUndone("erased", "the person was erased: there is nothing left to part")
    if survivor.merged_into is not None:
        raise NotUndone("absorbed", "the surviving contact was itself merged into another one since: undo that first")


def _restore(survivor: Profile, before: Mapping[str, Any], now: datetime) -> list[Change]:
    """Take back what the merge wrote and nobody changed since."""
    fields, attributes = dict(survivor.fields), dict(survivor.attributes)
    said: list[Change] = []
    for kind, profile in (("field", fields), ("attribute", attributes)):
        for name, (old, new) in before[f"{kind}s"].items():
            if not same(profile.get(name), new):
                continue
            said.append(Change(survivor.contact_id, kind, name, new, old))
            if old is None and kind == "attribute":
                del profile[name]
            else:
                profile[name] = old
    created_at = survivor.created_at
    if before["created_at"]:
        was, became = map(datetime.fromisoformat, before["created_at"])
        created_at = was if became == created_at else created_at
    write({survivor.contact_id: (fields, attributes, created_at)}, now=now)
    return said
