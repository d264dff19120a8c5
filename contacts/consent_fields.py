"""What conditions may ask about consent: the last word on each category, missing where nothing was said."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from contacts.conditions import Field, register_field
from contacts.conditions.catalogue import register_choices
from contacts.conditions.fragment import Sql
from contacts.consent import CATEGORIES, DENIED, GRANTED

_LABELS = {
    "tracking": "consent to tracking",
    "marketing": "consent to all marketing",
    "data_processing": "consent to data processing",
    "sale": "consent to the sale of data",
}


def register() -> None:
    """Called once, when the app is ready: `consent_tracking`, `consent_marketing`, …: granted · denied."""
    for category in CATEGORIES:
        name = f"consent_{category}"
        register_field(
            Field(
                name=name,
                type="text",
                sql=_last_word(category),
                label=_LABELS[category],
                reads=frozenset({"consent"}),
            )
        )
        register_choices(name, lambda: [(GRANTED, GRANTED), (DENIED, DENIED)])


def _last_word(category: str) -> Callable[[str, datetime], Sql]:
    return lambda alias, now: Sql(
        f"(SELECT r.state FROM consent_records r WHERE r.contact_id = {alias}.id AND r.category = %s"
        " AND r.topic = '' ORDER BY r.id DESC LIMIT 1)",
        [category],
    )
