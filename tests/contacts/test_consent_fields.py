"""Consent can be asked for by conditions, and a segment that asks hears of every change."""

from __future__ import annotations

import pytest
from django.db import transaction

from contacts import clock, consent, transactions
from contacts.audiences import filling, membership, segments
from contacts.conditions import explain, matching_contacts, parse
from contacts.consent import Consent
from contacts.models import ConsentRecord, SegmentMember
from tests.contacts.conftest import event, record
from tests.delivery import making

pytestmark = pytest.mark.django_db


def say(contact_id: int, category: str, state: str, topic: str = "") -> None:
    with transaction.atomic():
        consent.record([Consent(contact_id, category, state, topic)], source="api", now=clock.now())


def test_the_last_word_on_each_category_is_a_field_that_may_be_missing(now):
    silent, refused, agreed = making.contacts(3)
    say(refused, "sale", "granted")
    say(refused, "sale", "denied")
    say(agreed, "sale", "granted")
    say(silent, "marketing", "denied", "news")  # a topic is not the whole

    def who(op: str, value: str | None = None, field: str = "consent_sale") -> set[int]:
        tree = {"field": field, "op": op} | ({} if value is None else {"value": value})
        return set(matching_contacts(parse(tree), contact_ids=[silent, refused, agreed], now=now))

    assert who("eq", "denied") == {refused}
    assert who("ne", "denied") == {silent, agreed}
    assert who("not_exists") == {silent}
    assert who("exists", field="consent_marketing") == set()


def test_it_has_a_sentence():
    sentence = explain(parse({"field": "consent_sale", "op": "eq", "value": "denied"}))
    assert "consent to the sale of data" in sentence


def test_a_segment_of_those_who_agreed_follows_what_they_say(now):
    (who,) = making.contacts(1)
    with transaction.atomic():
        segments.create(
            slug="agreed",
            name="Agreed",
            condition={"field": "consent_marketing", "op": "eq", "value": "granted"},
            now=clock.now(),
        )
    making.run(lambda: transactions.run(filling.fill_batch))

    def members() -> list[int]:
        making.run(lambda: transactions.run(lambda at: membership.check_batch("urgent", at)))
        return list(SegmentMember.objects.values_list("contact_id", flat=True))

    assert members() == []
    say(who, "marketing", "granted")
    assert members() == [who]
    say(who, "marketing", "denied")
    assert members() == []


@pytest.mark.parametrize("name", ["sale", "SaleOfInfo", "sale_of_data"])
def test_a_browser_that_refuses_the_sale_is_taken_at_its_word_once(name, now):
    def arrives(key: str, value: object, **more) -> None:
        context = {"consent": {"categoryPreferences": {"tracking": True, name: value}}}
        record(event("ada", key=key, context=context), now=now, **more)

    arrives("1", True)  # a public key grants nothing
    assert not ConsentRecord.objects.exists()
    for key in "234":
        arrives(key, False)
    said = ConsentRecord.objects.get()
    assert (said.category, said.state, said.source) == ("sale", "denied", "event")
    say(said.contact_id, "sale", "granted")
    arrives("4", False)  # a duplicate says nothing new
    assert ConsentRecord.objects.count() == 2
