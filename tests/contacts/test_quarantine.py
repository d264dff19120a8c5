"""What could not be taken: kept as it came, tried again, forgotten."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.db import DatabaseError, transaction

from contacts import clock, quarantine
from contacts.faults import Fault
from contacts.models import Contact, ContactEvent, QuarantinedEvent
from contacts.quarantine import Kept, Refused
from tests.contacts.conftest import Api, together

pytestmark = pytest.mark.django_db

WRONG = [Fault("missing", "is missing", ("type",))]


def refused(raw: str, source: str = "api") -> Refused:
    return Refused(source, "test", raw, WRONG)


def again(*ids: int, now) -> quarantine.Retried:
    with transaction.atomic():
        return quarantine.try_again(ids or [row.pk for row in QuarantinedEvent.objects.all()], now=now)


def kept() -> list[str]:
    return list(QuarantinedEvent.objects.order_by("id").values_list("raw", flat=True))


# -- keeping -----------------------------------------------------------------------------------------------------------


def test_the_api_keeps_the_very_text_that_was_rejected(api: Api):
    bad = b'{ "type":"x",  "contact": {"email": "no address"}, "n": 1.50 }'
    answer = api.post_events({"type": "seen", "user_id": "ada"}, bad, b'{"type": NaN}', b'{"n": 99999999999999999999}')
    assert [each["index"] for each in answer["rejected"]] == [1, 2, 3]
    rows = list(QuarantinedEvent.objects.order_by("id"))
    assert [row.raw for row in rows] == [bad.decode(), '{"type": NaN}', '{"n": 99999999999999999999}']
    assert {(row.source, row.origin) for row in rows} == {("api", "test")}
    assert rows[0].errors == answer["rejected"][0]["errors"]


def test_what_the_database_or_the_rules_refuse_is_kept_too(api: Api, settings):
    settings.RESIDENCY_ALLOWED = ["eu"]
    api.post_events(
        {"type": "a", "user_id": "ada", "occurred_at": "2999-01-01T00:00:00Z"},
        {"type": "b", "user_id": "bob", "region": "us"},
        {"type": "c", "user_id": "eve", "context": {"region": "us"}},
        {"type": "d", "user_id": "joe", "region": "EU"},
    )
    assert [row.errors[0]["code"] for row in QuarantinedEvent.objects.order_by("id")] == [
        "future", "residency", "residency"
    ]  # fmt: skip
    assert ContactEvent.objects.get().type == "d"


@pytest.mark.parametrize(
    ("raw", "stored"),
    [
        ("a\x00b", "a\\u0000b"),
        ("\udcff", "\\udcff"),
        ("x" * 8192, "x" * 8192),
        ("x" * 8193, "x" * 8189 + "…"),
        ("é" * 5000, "é" * 4094 + "…"),
    ],
    ids=["nul", "not utf-8", "just fits", "too long", "wide"],
)
def test_it_is_kept_as_postgresql_can_hold_it(raw, stored, now):
    quarantine.keep([refused(raw)], now=now)
    assert kept() == [stored]
    assert len(stored.encode()) <= quarantine.LONGEST_RAW


def test_a_flood_is_kept_up_to_its_limit_source_by_source(now, monkeypatch):
    monkeypatch.setattr(quarantine, "KEPT_A_MINUTE", 5)
    for _ in range(3):
        quarantine.keep([refused(f"{n}") for n in range(3)], now=now)
    quarantine.keep([refused("other", "kafka")], now=now)
    assert kept() == ["0", "1", "2", "0", "1", "other"]
    quarantine.keep([refused("later")], now=now + timedelta(seconds=61))
    assert kept()[-1] == "later"


def test_a_door_that_may_lose_nothing_is_not_limited(now, monkeypatch):
    monkeypatch.setattr(quarantine, "KEPT_A_MINUTE", 1)
    quarantine.write([refused("1", "kafka"), refused("2", "kafka")], now=now)
    assert kept() == ["1", "2"]


def test_the_answer_does_not_depend_on_the_quarantine(api: Api, monkeypatch):
    def fail(*_, **__):
        raise DatabaseError("full")

    monkeypatch.setattr(quarantine, "write", fail)
    answer = api.post_events({"type": "seen", "user_id": "ada"}, {"type": ""})
    assert (answer["accepted"], len(answer["rejected"])) == (1, 1)
    assert ContactEvent.objects.count() == 1


# -- trying again ------------------------------------------------------------------------------------------------------


def test_what_became_right_is_taken_at_the_time_when_it_came(api: Api, settings):
    settings.RESIDENCY_ALLOWED = ["eu"]
    api.post_events({"type": "seen", "user_id": "ada", "region": "us"}, {"type": "", "user_id": "bob"})
    came_at = QuarantinedEvent.objects.first().received_at
    settings.RESIDENCY_ALLOWED = ["eu", "us"]
    later = clock.now() + timedelta(hours=3)
    assert again(now=later) == quarantine.Retried(taken=1, refused=1)
    stored = ContactEvent.objects.get()
    assert (stored.occurred_at, stored.recorded_at, stored.source) == (came_at, later, "api")
    assert list(QuarantinedEvent.objects.order_by("id").values_list("released_at", flat=True)) == [later, None]


def test_once_released_it_is_not_sent_again(now):
    quarantine.keep([refused('{"type": "seen", "user_id": "ada"}')], now=now)
    assert again(now=now).taken == 1
    assert again(now=now) == quarantine.Retried(taken=0, refused=0)
    assert ContactEvent.objects.count() == 1


def test_new_reasons_take_the_place_of_the_old(now):
    quarantine.keep([refused('{"type": "seen"}'), refused("no JSON"), refused('{"a": "' + "x" * 9000)], now=now)
    assert again(now=now).refused == 3
    codes = [row.errors[0]["code"] for row in QuarantinedEvent.objects.order_by("id")]
    assert codes == ["missing", "syntax", "clipped"]


def test_a_source_without_a_way_back_says_so(now):
    quarantine.keep([refused("{}", "unheard of")], now=now)
    assert again(now=now).refused == 1
    assert QuarantinedEvent.objects.get().errors[0]["code"] == "not_again"


def test_each_source_goes_through_its_own_door(now, monkeypatch):
    seen: list[Kept] = []
    monkeypatch.setitem(quarantine._again, "elsewhere", lambda rows, at: seen.extend(rows) or {rows[0].id: WRONG})
    quarantine.keep([refused("a", "elsewhere"), refused("b", "elsewhere")], now=now)
    assert again(now=now) == quarantine.Retried(taken=1, refused=1)
    assert [row.raw for row in seen] == ["a", "b"]
    with pytest.raises(ValueError, match="registered already"):
        quarantine.register("elsewhere", lambda rows, at: {})


@pytest.mark.django_db(transaction=True)
def test_two_people_who_press_the_button_at_once_send_it_once(now):
    quarantine.keep([refused('{"type": "seen", "user_id": "ada"}')], now=now)
    row = QuarantinedEvent.objects.get().pk
    results = together(lambda: again(row, now=now), lambda: again(row, now=now + timedelta(minutes=5)))
    assert sorted(result.taken for result in results) == [0, 1]
    assert ContactEvent.objects.count() == 1


# -- forgetting --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "raw",
    [
        '{"contact": {"email": "ada@example.com"}}',
        '{"contact": {"email": "ADA@Example.com"}}',
        '{"contact": {"email": "\\u0061da@example.com"}}',
        '{"properties": {"text": "mail to <ada@example.com> please"}}',
        'not even JSON: ada@example.com',
        '{"contact": {"external_id": "17"}}',
        '{"contact": {"external_id":17, "x": 1}}',
        '{"user_id": "\\u0031\\u0037"}',
        '{"name": "\\ud83d\\ude00-sm\\u00efley"}',
    ],
)  # fmt: skip
def test_whoever_is_named_is_forgotten(raw, now):
    quarantine.keep([refused(raw), refused('{"email": "bob@example.com"}')], now=now)
    with transaction.atomic():
        assert quarantine.forget(["ada@example.com", "17", "😀-smïley"]) == 1
    assert kept() == ['{"email": "bob@example.com"}']


@pytest.mark.parametrize("raw", ['{"n": 2017}', '{"user_id": "170"}', '{"total": 17.5}', '{"id": "a17"}', '"1 7"'])
def test_a_short_name_is_not_found_in_a_longer_one(raw, now):
    quarantine.keep([refused(raw)], now=now)
    with transaction.atomic():
        assert quarantine.forget(["17"]) == 0


def test_without_a_name_nobody_is_forgotten(now):
    quarantine.keep([refused("{}")], now=now)
    with transaction.atomic():
        assert quarantine.forget([]) == quarantine.forget(["", "  "]) == 0


def test_all_of_a_long_quarantine_is_read(now, monkeypatch):
    monkeypatch.setattr(quarantine, "_FORGOTTEN_AT_ONCE", 3)
    quarantine.write([refused(json.dumps({"user": f"somebody-{n % 4}"})) for n in range(20)], now=now)
    with transaction.atomic():
        assert quarantine.forget(["somebody-3"]) == 5
    assert len(kept()) == 15


def test_nobody_is_created_by_what_was_rejected(api: Api):
    api.post_events({"type": "", "contact": {"email": "ada@example.com"}})
    assert not Contact.objects.exists()
