"""Whom Segment messages are of, what they say of them, and how anonymous history joins: through a server's key."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from contacts.models import Contact
from tests.contacts.collect.segment import (
    Producer,
    counted,
    events_of,
    make_write_key,
    named,
    quarantined,
    rows,
    stored,
    user,
)
from tests.contacts.conftest import together

pytestmark = pytest.mark.django_db


@pytest.fixture
def server() -> Producer:
    return Producer(make_write_key("server"))


def track(event: str = "x", **rest):
    return {"type": "track", "event": event, "messageId": uuid4().hex, **rest}


def identify(**rest):
    return {"type": "identify", "messageId": uuid4().hex, **rest}


# -- traits ------------------------------------------------------------------------------------------------------------


def test_traits_become_fields_and_attributes(server):
    server.send(
        identify(
            userId="ada",
            traits={
                "email": " ada@example.com ",
                "phone": "+49 (30) 12345",
                "timezone": "Europe/Berlin",
                "locale": "de-DE",
                "firstName": "Ada",
                "address": {"city": "Berlin"},
                "createdAt": "2019-05-06T07:08:09Z",
                "logins": 5,
            },
        )
    )
    ada = user("ada")
    assert (ada.email, ada.phone, ada.timezone, ada.locale) == (
        "ada@example.com",
        "+493012345",
        "Europe/Berlin",
        "de-DE",
    )
    assert ada.attributes == {
        "firstName": "Ada",
        "address": {"city": "Berlin"},
        "createdAt": "2019-05-06T07:08:09Z",
        "logins": 5,
    }
    assert ada.created_at == datetime(2019, 5, 6, 7, 8, 9, tzinfo=UTC)
    assert named("email", "ada@example.com") == ada
    assert stored() == [("contact_identified", {"traits_taken": True}, "segment", True)]


@pytest.mark.parametrize("said", [1557126489, 1557126489000, "2019-05-06T07:08:09+00:00"])
def test_the_age_of_a_contact_may_be_said_in_seconds_and_milliseconds_too(server, said):
    server.send(identify(userId="ada", traits={"createdAt": said}))
    assert user("ada").created_at == datetime(2019, 5, 6, 7, 8, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    "traits", [{"email": "not an address"}, {"phone": "ask Ada"}, {"timezone": "Berlin"}, {"locale": 5}]
)
def test_a_known_trait_that_is_not_valid_is_kept_as_an_attribute(server, traits):
    server.send(identify(userId="ada", traits=traits))
    ada = user("ada")
    assert (ada.email, ada.phone, ada.timezone, ada.locale) == ("", "", "", "")
    assert ada.attributes == traits


def test_a_null_takes_an_attribute_away_and_what_is_not_said_stays(server):
    server.send(identify(userId="ada", traits={"plan": "free", "name": "Ada", "email": "ada@example.com"}))
    server.send(identify(userId="ada", traits={"plan": None, "email": None}))
    assert user("ada").attributes == {"name": "Ada"}
    assert user("ada").email == "ada@example.com"


def test_what_is_said_twice_holds_as_it_was_said_last(server):
    server.send(identify(userId="ada", traits={"plan": "free"}), identify(userId="ada", traits={"plan": "pro"}))
    assert user("ada").attributes == {"plan": "pro"}


def test_traits_that_are_sent_again_do_not_undo_newer_ones(server):
    old = identify(userId="ada", messageId="1", traits={"plan": "free"})
    server.send(old)
    server.send(identify(userId="ada", messageId="2", traits={"plan": "pro"}))
    server.send(old)
    assert user("ada").attributes == {"plan": "pro"}
    assert counted()["duplicate"] == 1


def test_without_a_message_id_new_traits_are_taken_within_the_minute_too(server):
    server.send({"type": "identify", "userId": "ada", "traits": {"plan": "free"}})
    server.send({"type": "identify", "userId": "ada", "traits": {"plan": "pro"}})
    assert user("ada").attributes == {"plan": "pro"}


def test_traits_may_stand_in_the_context(server, count):
    server.send(
        identify(userId="ada", context={"traits": {"plan": "free", "name": "Ada"}, "app": "x"}, traits={"plan": "pro"})
    )
    assert user("ada").attributes == {"plan": "pro", "name": "Ada"}
    assert count("contact_events", """context = '{"app": "x"}'""") == 1


def test_traits_of_a_forbidden_region_are_refused(server, settings):
    settings.RESIDENCY_ALLOWED = ["EU"]
    server.send(identify(userId="ada", traits={"region": "US"}))
    assert named("external_id", "ada") is None
    assert quarantined() == [("segment", "residency")]


def test_nobody_is_created_or_described_by_messages_from_a_forbidden_region(server, settings):
    settings.RESIDENCY_ALLOWED = ["EU"]
    server.send(
        identify(userId="ada", traits={"email": "ada@example.com"}, context={"region": "US"}),
        track(userId="bob", context={"region": "US"}),
        identify(userId="eve", traits={"plan": "pro"}, context={"region": "eu"}),
    )
    assert list(Contact.objects.values_list("external_id", flat=True)) == ["eve"]
    assert quarantined() == [("segment", "residency")] * 2


def test_the_number_of_statements_does_not_depend_on_the_size_of_a_batch(server):
    def batch(size: int, name: str):
        return [
            message
            for number in range(size)
            for message in (
                identify(userId=f"{name}{number}", anonymousId=f"{name}{number}", traits={"plan": number}),
                track(userId=f"{name}{number}", properties={"n": number}),
                {"type": "alias", "userId": f"{name}{number}", "previousId": f"old {name}{number}"},
            )
        ]

    server.send(*batch(1, "warm"))
    needed = []
    for size in (2, 60):
        with CaptureQueriesContext(
            connection,
        ) as captured:
            server.send(*batch(size, f"b{size} "))
        needed.append(len(captured))
    assert needed[0] == needed[1], needed


# -- time --------------------------------------------------------------------------------------------------------------


def times() -> list[datetime]:
    return [at for (at,) in rows("SELECT occurred_at FROM contact_events ORDER BY id")]


def test_a_time_is_what_it_was_said_to_be(server):
    for said in ("2020-02-03T04:05:06.700Z", "2020-2-3T04:05:06.700Z", "2020-02-03T05:05:06.7+01:00", 1580702706700,
                 "2020-02-03T04:05:06.7"):  # fmt: skip
        server.send(track(userId="ada", timestamp=said, properties={"said": said}, messageId=str(said)))
    assert set(times()) == {datetime(2020, 2, 3, 4, 5, 6, 700_000, tzinfo=UTC)}
    assert len(times()) == 5


@pytest.mark.parametrize("where", ["message", "batch"])
def test_a_wrong_clock_is_set_right(server, where):
    wrong = datetime.now(UTC) + timedelta(days=300)
    said = {"timestamp": (wrong - timedelta(minutes=5)).isoformat()}
    sent = {"sentAt": wrong.isoformat()}
    if where == "message":
        server.send(track(userId="ada", **said, **sent))
    else:
        server.send(track(userId="ada", **said), **sent)
    assert abs(times()[0] - (datetime.now(UTC) - timedelta(minutes=5))) < timedelta(seconds=60)


def test_a_time_that_somebody_set_right_already_is_left_alone(server):
    wrong = datetime.now(UTC) + timedelta(days=300)
    server.send(
        track(
            userId="ada",
            timestamp="2020-02-03T04:05:06Z",
            originalTimestamp="2020-12-03T04:05:06Z",
            sentAt=wrong.isoformat(),
        )
    )
    assert times() == [datetime(2020, 2, 3, 4, 5, 6, tzinfo=UTC)]


# -- consent and zone --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("context", "processed"),
    [
        ({}, True),
        ({"consent": {"categoryPreferences": {"Advertising": False}}}, False),
        ({"consent": {"categoryPreferences": {"tracking": True}}}, True),
    ],
)
def test_consent_in_the_context_decides_whether_an_event_counts(server, context, processed):
    server.send(track(userId="ada", context=context))
    assert [row[3] for row in stored()] == [processed]


def test_without_a_word_a_browsers_events_are_held_and_a_servers_are_not(settings):
    browser, server = Producer(make_write_key("browser")), Producer(make_write_key("server"))
    browser.send(track(anonymousId="a", messageId="1"))
    settings.DEFAULT_TRACKING_CONSENT = "granted"
    browser.send(track(anonymousId="a", messageId="2"))
    settings.DEFAULT_TRACKING_CONSENT = "denied"
    server.send(track(userId="ada"))
    assert [(source, processed) for _, _, source, processed in stored()] == [
        ("browser", False),
        ("browser", True),
        ("segment", True),
    ]


def test_the_zone_of_the_context_fills_an_empty_one(server):
    server.send(track(userId="ada", context={"timezone": "Asia/Tokyo"}))
    server.send(track(userId="ada", context={"timezone": "Europe/Rome"}))
    assert user("ada").timezone == "Asia/Tokyo"


# -- anonymous history -------------------------------------------------------------------------------------------------


def test_an_anonymous_visitor_who_says_who_they_are_becomes_that_person(server):
    server.send(track("viewed", anonymousId="a"))
    server.send(identify(userId="ada", anonymousId="a", traits={"plan": "pro"}))
    server.send(track("bought", userId="ada"))
    assert events_of(user("ada")) == ["viewed", "contact_identified", "bought"]
    assert Contact.objects.count() == 1


@pytest.mark.parametrize("kind", ["identify", "alias"])
def test_anonymous_history_joins_a_contact_who_is_known_already(server, kind):
    server.send(identify(userId="ada", traits={"plan": "pro"}))
    server.send(track("viewed", anonymousId="a"), identify(anonymousId="a", traits={"theme": "dark"}))
    if kind == "identify":
        server.send(identify(userId="ada", anonymousId="a"))
    else:
        server.send({"type": "alias", "userId": "ada", "previousId": "a"})
    ada = user("ada")
    assert named("anonymous_id", "a") == ada
    assert sorted(events_of(ada)) == sorted(
        [
            "contact_identified",
            "viewed",
            "contact_identified",
            "contact_identified" if kind == "identify" else "contact_aliased",
        ]
    )
    assert ada.attributes == {"plan": "pro", "theme": "dark"}
    server.send(track("came back", anonymousId="a"))
    assert "came back" in events_of(ada)
    assert rows("SELECT source FROM contact_merges") == [("segment",)]


def test_an_alias_to_a_new_name_keeps_the_history(server):
    server.send(track("viewed", anonymousId="a"))
    server.send({"type": "alias", "previousId": "a", "userId": "ada"})
    server.send(track("bought", userId="ada"))
    assert events_of(user("ada")) == ["viewed", "contact_aliased", "bought"]


def test_an_alias_before_the_first_event_counts_for_what_comes_later(server):
    server.send({"type": "alias", "previousId": "a", "userId": "ada"})
    server.send(track("viewed", anonymousId="a"))
    assert events_of(user("ada")) == ["contact_aliased", "viewed"]


@pytest.mark.parametrize("first", [True, False])
def test_an_alias_to_oneself_changes_nothing(server, first):
    if not first:
        server.send(identify(userId="ada", traits={"plan": "pro"}))
    before = Contact.objects.count()
    server.send({"type": "alias", "previousId": "ada", "userId": "ada"})
    assert Contact.objects.count() == max(before, 1)
    assert named("anonymous_id", "ada") is None
    assert rows("SELECT count(*) FROM contact_merges") == [(0,)]
    assert quarantined() == []


def test_an_alias_merges_no_two_people_who_are_known(server):
    server.send(identify(userId="ada", traits={}), identify(userId="bob", traits={}))
    server.send({"type": "alias", "previousId": "bob", "userId": "ada"})
    assert user("ada") != user("bob")
    assert quarantined() == [("segment", "conflict")]


def test_the_device_of_one_person_stays_theirs_when_another_signs_in(server):
    server.send(identify(userId="ada", anonymousId="a", traits={"plan": "pro"}))
    server.send(identify(userId="bob", anonymousId="a", traits={"plan": "free"}))
    assert user("ada").attributes == {"plan": "pro"}
    assert user("bob").attributes == {"plan": "free"}
    assert named("anonymous_id", "a") == user("ada")
    assert rows("SELECT count(*) FROM contact_merges") == [(0,)]


def test_the_messages_of_a_batch_may_come_in_any_order(server):
    server.send(identify(userId="ada"))
    server.send(track("viewed", anonymousId="a"), identify(userId="ada", anonymousId="a"), track("on", anonymousId="a"))
    assert events_of(user("ada")) == ["contact_identified", "viewed", "contact_identified", "on"]
    assert Contact.objects.count() == 1


def test_several_devices_join_one_person_in_one_batch(server):
    for device in "abc":
        server.send(track(f"viewed {device}", anonymousId=device))
    server.send(identify(userId="ada"), *({"type": "alias", "previousId": d, "userId": "ada"} for d in "abc"))
    assert {named("anonymous_id", device) for device in "abc"} == {user("ada")}
    assert {f"viewed {device}" for device in "abc"} <= set(events_of(user("ada")))


def test_a_person_may_be_named_by_their_address_alone(server):
    server.send(identify(traits={"email": "ada@example.com", "plan": "pro"}))
    server.send(identify(userId="ada", traits={"email": "ADA@example.com"}))
    assert user("ada").attributes == {"plan": "pro"}
    assert Contact.objects.count() == 1


@pytest.mark.parametrize("names", [("userId", "user_id"), ("anonymousId", "anonymous_id")])
def test_the_names_of_old_libraries_are_understood(server, names):
    new, old = names
    server.send({"action": "track", "event": "x", old: "ada"})
    kind = "external_id" if new == "userId" else "anonymous_id"
    assert events_of(named(kind, "ada")) == ["x"]


@pytest.mark.django_db(transaction=True)
def test_two_who_say_at_once_who_the_visitor_is_make_one_contact():
    producer = Producer(make_write_key("server"))
    producer.send(track("viewed", anonymousId="a"))

    def claim(number: int):
        return lambda: Producer(producer.key).send(
            identify(userId="ada", anonymousId="a", messageId=str(number), traits={f"by{number}": True})
        )

    together(*(claim(number) for number in range(6)))
    ada = user("ada")
    assert ada.attributes == {f"by{number}": True for number in range(6)}
    assert sorted(events_of(ada)) == ["contact_identified"] * 6 + ["viewed"]
    assert Contact.objects.filter(merged_into=None).count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_people_who_claim_the_same_device_at_once_stay_two():
    producer = Producer(make_write_key("server"))
    producer.send(identify(userId="ada"), identify(userId="bob"), track("viewed", anonymousId="a"))
    together(*(
        lambda who=who: Producer(producer.key).send(identify(userId=who, anonymousId="a")) for who in ("ada", "bob")
    ))  # fmt: skip
    assert user("ada") != user("bob")
    assert named("anonymous_id", "a") in {user("ada"), user("bob")}
    assert sorted(events_of(user("ada")) + events_of(user("bob"))) == ["contact_identified"] * 4 + ["viewed"]
