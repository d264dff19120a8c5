"""What journeys add to a contact's page: where the contact is right now."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from contacts.models import Contact
from contacts.pages import floors
from contacts.pages.cells import zone
from contacts.pages.floors import Panel
from workflows.models import Enrolment
from workflows.models.enrolment import UNFINISHED
from workflows.pages.enrolments import step_names


def in_journeys_now(*, contact_id: int, now: datetime, **_: Any) -> Mapping[str, Any] | None:
    rows: list[Any] = list(
        Enrolment.objects.filter(contact_id=contact_id, state__in=UNFINISHED)
        .select_related("workflow", "version")
        .defer("workflow__draft", "version__definition")
        .order_by("-entered_at")[:20]
    )
    names = step_names({row.version_id for row in rows})
    for row in rows:
        row.step_name = names.get((row.version_id, row.step), row.step)
    contact = Contact.objects.only("timezone").filter(pk=contact_id).first()
    return {"rows": rows, "tz": zone(contact.timezone) if contact else None}


floors.register_panel(Panel("In journeys now", "admin/workflows/panel_here.html", in_journeys_now, place=20))
