"""Where a contact stands with sales, for the texts of steps: the score, what it is made of, and the stage."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from scoring.lifecycle import stages
from scoring.projection import reasons
from scoring.rulesets import wording

SCORE, REASONS, STAGE = "score", "score_reasons", "lifecycle_stage"
REASONS_NAMED = 5


def of(contact_ids: Collection[int], *, message: str, now: datetime) -> dict[int, dict[str, str]]:
    """What `message` may name of each contact, beside what templates may. Constant in the number of contacts: two
    statements for the score, two for the stage, and none for what the message does not name."""
    data: dict[int, dict[str, str]] = {contact_id: {} for contact_id in contact_ids}
    if SCORE in message:  # so do the reasons
        for contact_id, found in reasons.of(contact_ids, at=now, limit=REASONS_NAMED).items():
            data[contact_id] |= {SCORE: wording.number(round(found.score, 1)), REASONS: reasons.told(found)}
    if STAGE in message:
        labels = stages.labels()
        for contact_id, stage in stages.current_stages(contact_ids).items():
            data[contact_id][STAGE] = labels[stage]
    return data
