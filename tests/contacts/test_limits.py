"""How many requests a key of the API may send, and what it is told of that."""

from __future__ import annotations

import pytest

from contacts import limits
from contacts.models import ApiKey
from tests.contacts.conftest import Api, make_key

TELLING = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")


@pytest.fixture
def reader(db, monkeypatch) -> Api:
    monkeypatch.setattr(limits._Patience, "until", 0.0)
    return Api(make_key("contacts:read"))


def told(response) -> list[str | None]:
    return [response.headers.get(name) for name in TELLING]


def test_every_answer_tells_the_limit_and_what_is_left(reader, settings):
    settings.API_REQUESTS_PER_MINUTE = 60
    assert told(reader.get("/api/v1/contacts/")) == ["60", "59", "1"]
    assert told(reader.get("/api/v1/contacts/not-there")) == [None] * 3  # nobody looked at the key
    assert told(reader.get("/api/v1/templates/")) == ["60", "58", "2"]  # refused: 403
    response = reader.post_bytes(b"{}")
    assert (response.status_code, told(response)) == (403, ["60", "57", "3"])


def test_who_has_no_key_is_told_nothing(client, db):
    assert told(client.get("/api/v1/contacts/")) == [None] * 3
    assert told(client.get("/api/v1/schema/")) == [None] * 3


@pytest.mark.parametrize("path", ["/api/v1/contacts/", "/api/v1/events"])
def test_more_is_refused_and_told_when_to_come_again(reader, settings, path):
    settings.API_REQUESTS_PER_MINUTE = 2
    for _ in range(2):
        assert reader.call("POST", path, b"{}").status_code == 403
    over = reader.call("POST", path, b"{}")
    assert over.status_code == 429
    assert over.headers["Content-Type"] == "application/problem+json"
    assert 0 < int(over.headers["Retry-After"]) <= 30
    assert told(over)[:2] == ["2", "0"]


def test_a_key_may_have_a_limit_of_its_own(reader, settings):
    settings.API_REQUESTS_PER_MINUTE = 1
    ApiKey.objects.update(requests_per_minute=3)
    assert [reader.get("/api/v1/contacts/").status_code for _ in range(4)] == [200, 200, 200, 429]


def test_one_key_does_not_use_up_what_another_may(reader, settings):
    settings.API_REQUESTS_PER_MINUTE = 1
    other = Api(make_key("contacts:read"))
    assert [each.get("/api/v1/contacts/").status_code for each in (reader, reader, other)] == [200, 429, 200]


def test_without_redis_nobody_is_refused_and_nobody_waits_for_it(reader, settings, monkeypatch, caplog):
    asked = []

    def away(*args, **options):
        asked.append(args)
        raise limits.redis.ConnectionError

    monkeypatch.setattr(limits.buckets, "take", away)
    settings.API_REQUESTS_PER_MINUTE = 1
    answers = [reader.get("/api/v1/contacts/") for _ in range(3)]
    assert [(answer.status_code, told(answer)) for answer in answers] == [(200, [None] * 3)] * 3
    assert len(asked) == 1
    assert "not counted" in caplog.text
