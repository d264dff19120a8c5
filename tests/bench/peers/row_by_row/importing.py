"""`python -m tests.bench.peers.row_by_row.importing FILE`: `update_or_create` for every row, and one row of consent,
as import libraries for Django do it; no identities, no changes, no news, no place to go on from."""

from __future__ import annotations

import csv
from pathlib import Path

from tests.bench import imports_turn


def load(path: Path) -> None:
    from django.db import transaction
    from django.utils import timezone

    from contacts.models import ConsentRecord, Contact

    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            with transaction.atomic():
                contact, _ = Contact.objects.update_or_create(
                    external_id=row["external_id"],
                    defaults={
                        "email": row["email"],
                        "phone": row["phone"],
                        "timezone": row["timezone"],
                        "attributes": {name: row[name] for name in ("plan", "company", "seats")},
                    },
                )
                ConsentRecord.objects.create(
                    contact_id=contact.pk,
                    category="marketing",
                    state="granted" if row["consent_marketing"] == "true" else "denied",
                    recorded_at=timezone.now(),
                    source="import",
                )


if __name__ == "__main__":
    imports_turn.play(load)
