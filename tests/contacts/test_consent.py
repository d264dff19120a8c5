"""What contacts agreed to: the last word holds."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, connection, transaction

from contacts import consent
from contacts.consent import Consent, marketing_denied, tracking_said, tracking_state
from contacts.models import ConsentRecord


def say(*consents: Consent, now, **options) -> set[int]:
    return consent.record(consents, source="api", now=now, **options)


@pytest.mark.django_db
def test_the_last_word_on_tracking_holds(now):
    say(Consent(1, "tracking", "granted"), Consent(2, "tracking", "denied"), now=now)
    say(Consent(1, "tracking", "denied"), Consent(3, "marketing", "denied"), now=now)
    assert tracking_state([1, 2, 3, 1]) == {1: "denied", 2: "denied"}


@pytest.mark.django_db
def test_a_record_keeps_when_where_and_how(now):
    say(Consent(1, "marketing", "granted", topic="news", evidence={"form": "footer"}), now=now)
    row = ConsentRecord.objects.get()
    assert (row.category, row.topic, row.state, row.recorded_at) == ("marketing", "news", "granted", now)
    assert (row.source, row.evidence) == ("api", {"form": "footer"})


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("said", "denied"),
    [
        ([], set()),
        ([("", "denied")], {"", "news", "offers"}),
        ([("", "granted")], set()),
        ([("news", "denied")], {"news"}),
        ([("news", "denied"), ("news", "granted")], set()),
        ([("news", "denied"), ("", "granted")], {"news"}),
        ([("news", "granted"), ("", "denied")], {"", "news", "offers"}),
        ([("", "denied"), ("news", "granted")], {"", "offers"}),
        ([("", "denied"), ("news", "granted"), ("", "granted")], set()),
    ],
)
def test_a_topics_own_word_holds_unless_everything_was_denied_later(now, said, denied):
    for topic, state in said:
        say(Consent(1, "marketing", state, topic=topic), now=now)
    topics = ["", "news", "offers"]
    assert marketing_denied([1] * 3, topics, ["email"] * 3) == {(1, topic, "email") for topic in denied}
    assert marketing_denied([2] * 3, topics, ["email"] * 3) == set()


@pytest.mark.django_db
def test_where_people_must_opt_in_silence_is_a_denial(now, settings):
    settings.MARKETING_CONSENT = "opt_in"
    say(Consent(1, "marketing", "granted"), Consent(2, "marketing", "granted", topic="news"), now=now)
    asked = [(1, "news"), (2, "news"), (2, "offers"), (3, "news"), (3, "")]
    denied = marketing_denied([contact for contact, _ in asked], [topic for _, topic in asked], ["email"] * 5)
    assert denied == {(2, "offers", "email"), (3, "news", "email"), (3, "", "email")}


@pytest.mark.django_db
def test_tracking_consent_says_nothing_about_marketing(now):
    say(Consent(1, "tracking", "denied"), now=now)
    assert marketing_denied([1], [""], ["email"]) == set()


@pytest.mark.django_db
def test_repetitions_are_written_only_where_they_are_wanted(now):
    first = [Consent(1, "marketing", "granted"), Consent(2, "marketing", "granted")]
    assert say(*first, now=now, only_changes=True) == {1, 2}
    assert say(*first, now=now, only_changes=True) == set()
    assert say(Consent(1, "marketing", "denied"), first[1], now=now, only_changes=True) == {1}
    assert say(*first, now=now) == {1, 2}
    assert ConsentRecord.objects.count() == 5


@pytest.mark.django_db
def test_a_topic_that_was_denied_with_all_the_others_can_be_granted_again(now):
    for topic, state in (("news", "granted"), ("", "denied"), ("news", "granted"), ("news", "granted")):
        say(Consent(1, "marketing", state, topic=topic), now=now, only_changes=True)
    assert marketing_denied([1, 1], ["news", "offers"], ["email"] * 2) == {(1, "offers", "email")}
    assert ConsentRecord.objects.count() == 3


@pytest.mark.django_db
@pytest.mark.parametrize("statement", ["UPDATE consent_records SET state = 'granted'", "DELETE FROM consent_records"])
def test_the_record_cannot_be_rewritten(now, statement):
    say(Consent(1, "marketing", "denied"), now=now)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.parametrize(
    ("preferences", "expected"),
    [
        ({"tracking": True}, "granted"),
        ({"tracking": False}, "denied"),
        ({"tracking": True, "Advertising": False, "Analytics": False}, "granted"),
        ({"Advertising": True, "Analytics": True}, "granted"),
        ({"Advertising": True, "Analytics": False}, "denied"),
        ({"Advertising": False}, "denied"),
        ({"analytics": True}, "granted"),
        ({"Functional": False}, None),
        ({"tracking": "yes"}, None),
        ({}, None),
        ([], None),
        (None, None),
    ],
)
def test_what_a_banner_reported_with_the_event(preferences, expected):
    assert tracking_said({"consent": {"categoryPreferences": preferences}}) == expected


@pytest.mark.parametrize("context", [{}, {"consent": None}, {"consent": True}, {"consent": {}}])
def test_a_context_without_an_answer_says_nothing(context):
    assert tracking_said(context) is None
