"""What texts in a step's settings may name: the contact's fields and attributes, and the entry event. The same names as
in templates (`delivery.rendering.merge_data`)."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connection

from delivery.authoring import mustache, rendering
from delivery.authoring.mustache import BadMustache

_FIELDS = ("external_id", "email", "phone", "timezone", "locale", "region", "owner_email")


@dataclass(frozen=True)
class Profile:
    """A contact as texts show it; `id` among the fields is the public one."""

    fields: Mapping[str, str]
    attributes: Mapping[str, Any]

    def data(self, trigger: Mapping[str, Any]) -> dict[str, Any]:
        properties = trigger.get("properties")
        context = {"trigger": properties if isinstance(properties, Mapping) else {}}
        return rendering.merge_data(fields=self.fields, attributes=self.attributes, context=context, unsubscribe_url="")


def profiles(contact_ids: Collection[int]) -> dict[int, Profile]:
    """One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id, attributes::text, public_id::text, {', '.join(_FIELDS)} FROM contacts WHERE id = ANY(%s)",
            [sorted(set(contact_ids))],
        )
        return {
            contact_id: Profile(dict(zip(("id", *_FIELDS), fields, strict=True)), json.loads(attributes))
            for contact_id, attributes, *fields in cursor.fetchall()
        }


def fault_in(text: str) -> str:
    """Why it cannot be filled; empty if it can."""
    try:
        mustache.render(text, {}, escape=False)
    except BadMustache as error:
        return str(error)
    return "" if "\x00" not in text else "contains a NUL character"


def filled(text: str, data: Mapping[str, Any]) -> str:
    """Plain text. Raises BadMustache."""
    return mustache.render(text, data, escape=False) if "{{" in text else text
