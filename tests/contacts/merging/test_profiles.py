"""What becomes of two profiles, as tables of examples."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contacts.merging.profiles import Profile, made, oldest_known, strictest_cap
from contacts.upserting import CAP, FIELDS

DEFAULTS = {"per_day": 1, "per_week": 3}
DAWN = datetime(2026, 1, 1, tzinfo=UTC)


def profile(contact_id: int = 1, *, day: int = 0, known: bool = True, **said: Any) -> Profile:
    return Profile(
        contact_id=contact_id,
        public_id="",
        fields={**dict.fromkeys(FIELDS, ""), CAP: None, **said.pop("fields", {})},
        attributes=said.pop("attributes", {}),
        created_at=DAWN + timedelta(days=day),
        known=known,
        attributes_at={name: DAWN + timedelta(days=on) for name, on in said.pop("changed", {}).items()},
    )


@pytest.mark.parametrize(
    ("one", "other", "strictest"),
    [
        (None, None, None),
        ({"per_day": 5}, None, None),  # the installation's one a day
        ({"per_day": 0}, None, {"per_day": 0}),
        ({"per_day": None, "per_week": None}, {"per_day": 2}, {"per_day": 2}),
        ({"per_week": 2}, {"per_week": 9, "per_day": None}, {"per_week": 2}),
        ({"per_day": None, "per_week": None}, {"per_day": None, "per_week": None}, {"per_day": None, "per_week": None}),
    ],
)
def test_of_two_caps_the_smaller_number_holds(one, other, strictest):
    assert strictest_cap(one, other, DEFAULTS) == strictest
    assert strictest_cap(other, one, DEFAULTS) == strictest


@pytest.mark.parametrize(
    ("survivor", "absorbed", "change"),
    [
        ({"attributes": {"a": 1}}, {"attributes": {"a": 2}}, {}),  # both came with their contacts, on the same day
        ({"attributes": {"a": 1}}, {"attributes": {"a": 2}, "day": 1}, {"a": (1, 2)}),
        ({"attributes": {"a": 1}, "changed": {"a": 2}}, {"attributes": {"a": 2}, "day": 1}, {}),
        ({}, {"attributes": {"a": 2}}, {"a": (None, 2)}),
        ({"changed": {"a": 5}}, {"attributes": {"a": 2}, "day": 1}, {}),  # removed since
        ({"attributes": {"a": 1}}, {"changed": {"a": 5}}, {"a": (1, None)}),
        ({"attributes": {"a": 1}}, {"attributes": {"a": True}, "day": 1}, {"a": (1, True)}),
        ({"attributes": {"a": 1}}, {"attributes": {"a": 1.0}, "day": 1}, {}),
    ],
)
def test_each_attribute_is_the_one_that_was_set_or_removed_last(survivor, absorbed, change):
    assert made(profile(**survivor), profile(2, **absorbed), DEFAULTS).attributes == change


def test_fields_are_filled_and_never_replaced():
    survivor = profile(fields={"email": "a@example.com"})
    absorbed = profile(2, fields={"email": "b@example.com", "phone": "030123456"}, day=-1)
    result = made(survivor, absorbed, DEFAULTS)
    assert result.fields == {"phone": ("", "030123456")}
    assert result.created_at == (DAWN, DAWN - timedelta(days=1))


def test_the_oldest_known_contact_is_the_one_that_survives():
    people = {1: profile(1, day=3), 2: profile(2, day=1), 3: profile(3, day=0, known=False), 4: profile(4, day=1)}
    assert oldest_known(people).contact_id == 2
