"""The strictest consent wins, whatever both had said before and in whatever order."""

from __future__ import annotations

import pytest
from django.db import transaction
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from contacts import clock, consent
from contacts.consent import Consent
from contacts.merging.consents import Word, corrections, standing
from contacts.models import Contact
from tests.contacts.merging.conftest import merge, undo

TOPICS = ("", "news", "offers", "email")
ASKED = [(topic, channel) for topic in ("", "news", "offers", "other") for channel in ("email", "sms")]
SAYINGS = st.lists(
    st.tuples(st.booleans(), st.sampled_from(TOPICS), st.sampled_from((consent.GRANTED, consent.DENIED))), max_size=7
)


def denied(contact_id: int) -> set[tuple[str, str]]:
    found = consent.marketing_denied(
        [contact_id] * len(ASKED), [topic for topic, _ in ASKED], [channel for _, channel in ASKED]
    )
    return {(topic, channel) for _, topic, channel in found}


def test_a_refusal_of_everything_after_a_grant_is_a_refusal_of_the_topic():
    whole, news = ("marketing", ""), ("marketing", "news")
    assert standing({whole: Word(2, "denied"), news: Word(1, "granted")}, news) == "denied"
    assert standing({whole: Word(1, "denied"), news: Word(2, "granted")}, news) == "granted"
    assert standing({whole: Word(1, "granted")}, news) == "granted"
    assert standing({}, news) is None


def test_nothing_is_said_where_the_rows_say_it_already():
    whole = ("marketing", "")
    assert corrections({whole: Word(1, "granted")}, {whole: Word(2, "denied")}) == []
    assert corrections({whole: Word(2, "granted")}, {whole: Word(1, "denied")}) == [(whole, "denied")]
    assert corrections({}, {whole: Word(1, "denied")}) == []


@pytest.mark.django_db
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sayings=SAYINGS)
@example(  # a refusal of a topic, covered by a refusal of everything that a grant of the channel overrules
    sayings=[(False, "news", "denied"), (True, "news", "granted"), (True, "", "denied"), (True, "email", "granted")]
)
def test_what_either_had_refused_is_refused_and_undoing_gives_back_what_each_had_said(sayings):
    people = [Contact.objects.create().pk for _ in range(2)]
    for second, topic, state in sayings:
        with transaction.atomic():
            consent.record([Consent(people[second], "marketing", state, topic)], source="api", now=clock.now())
    before = [denied(contact_id) for contact_id in people]
    merge_id = merge(*people)
    after = denied(people[0])
    assert after >= before[0] | before[1]
    if not any(state == consent.DENIED for _, _, state in sayings):
        assert after == set()
    undo(merge_id)
    assert [denied(contact_id) for contact_id in people] == before
