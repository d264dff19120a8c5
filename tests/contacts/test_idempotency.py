"""POSTs that carry an `Idempotency-Key` are carried out once, however often they are sent."""

from __future__ import annotations

import json
import os
import signal
from datetime import timedelta
from io import BytesIO

import pytest
from django.db import connection, connections

from contacts import chaos, clock, idempotency, retention
from contacts.models import Contact, ContactEvent, IdempotentRequest, ImportRun, List, Tag
from tests.contacts.conftest import Api, make_key, together

ADA = {"email": "ada@example.com", "attributes": {"plan": "trial"}}
BATCH = {"events": [{"type": "signed_up", "contact": {"external_id": "ada"}}]}


class Sender(Api):
    def post(self, path: str, body: object, key: str | None = "k-1"):
        headers = {} if key is None else {"Idempotency-Key": key}
        return self.call("POST", path, json.dumps(body).encode(), **headers)


@pytest.fixture
def sender(db) -> Sender:
    return Sender(make_key("admin"))


def lists() -> int:
    return List.objects.count()


def test_the_same_request_again_is_answered_as_before_and_does_nothing(sender):
    first = sender.post("/api/v1/lists/", {"slug": "news", "name": "News"})
    again = sender.post("/api/v1/lists", {"slug": "news", "name": "News"})  # the slash is no other request
    assert first.status_code == again.status_code == 201  # without the key it would be a 400: there is one already
    assert (first.content, first["Content-Type"]) == (again.content, again["Content-Type"])
    assert "Idempotency-Replayed" not in first
    assert again["Idempotency-Replayed"] == "true"
    assert lists() == 1


def test_events_are_recorded_once(sender):
    first, again = (sender.post("/api/v1/events", BATCH) for _ in range(2))
    assert first.json() == again.json() == {"accepted": 1, "duplicates": 0, "rejected": []}
    assert again["Idempotency-Replayed"] == "true"
    assert ContactEvent.objects.count() == 1


def test_without_a_key_or_with_another_one_it_is_another_request(sender):
    given = [sender.post("/api/v1/events", BATCH, key).json() for key in (None, None, "a", "b")]
    assert [each["duplicates"] for each in given] == [0, 1, 1, 1]
    assert IdempotentRequest.objects.count() == 2


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/v1/lists/", {"slug": "other", "name": "Other"}),
        ("/api/v1/lists/?a=b", {"slug": "news", "name": "News"}),
        ("/api/v1/tags/", {"slug": "news", "name": "News"}),
        ("/api/v1/events", BATCH),
    ],
)
def test_the_same_key_with_another_request_is_a_conflict(sender, path, body):
    sender.post("/api/v1/lists/", {"slug": "news", "name": "News"})
    other = sender.post(path, body)
    assert other.status_code == 409
    assert other["Content-Type"] == "application/problem+json"
    assert "another request" in other.json()["detail"]
    assert "Idempotency-Replayed" not in other
    assert (lists(), Tag.objects.count(), ContactEvent.objects.count()) == (1, 0, 0)


def test_two_keys_of_the_api_may_say_the_same(sender):
    sender.post("/api/v1/lists/", {"slug": "news", "name": "News"})
    other = Sender(make_key("admin")).post("/api/v1/lists/", {"slug": "tips", "name": "Tips"})
    assert other.status_code == 201


@pytest.mark.parametrize("key", ["", " ", "a" * 256, "ä", "a\tb", " a"])
def test_a_header_that_is_no_key_is_refused(sender, key):
    response = sender.post("/api/v1/lists/", {"slug": "news", "name": "News"}, key)
    assert response.status_code == 400
    assert response.json()["errors"][0]["loc"] == ["Idempotency-Key"]
    assert lists() == 0


def test_the_longest_key_is_taken_and_is_not_kept_as_it_is(sender):
    assert sender.post("/api/v1/tags/", {"name": "vip"}, "~" * 255).status_code == 201
    assert "~" not in IdempotentRequest.objects.get().key


def test_what_was_refused_may_be_tried_again_with_the_same_key(sender):
    refused = sender.post("/api/v1/contacts/", {"email": "nobody"})
    assert refused.status_code == 400
    assert not IdempotentRequest.objects.exists()
    assert sender.post("/api/v1/contacts/", ADA).status_code == 201


def test_a_key_that_may_not_do_it_learns_nothing_of_it(sender):
    reader = Sender(make_key("contacts:read"))
    assert reader.post("/api/v1/lists/", {"slug": "news", "name": "News"}).status_code == 403
    assert not IdempotentRequest.objects.exists()


def test_what_only_reads_is_answered_as_before_too(sender):
    first = sender.post("/api/v1/conditions/explain", {"condition": {"field": "plan", "op": "eq", "value": "trial"}})
    again = sender.post("/api/v1/conditions/explain", {"condition": {"field": "plan", "op": "eq", "value": "trial"}})
    other = sender.post("/api/v1/conditions/explain", {"condition": {"has_tag": "vip"}})
    assert (first.status_code, again["Idempotency-Replayed"], other.status_code) == (200, "true", 409)


def test_a_file_is_imported_once(sender):
    def send(rows: bytes):
        return sender._client.post(
            "/api/v1/imports", {"file": BytesIO(rows)}, headers={**sender._headers, "Idempotency-Key": "file-1"}
        )

    first, again = send(b"email\nada@example.com\n"), send(b"email\nada@example.com\n")  # each with its own boundary
    assert first.status_code == again.status_code == 202, first.content
    assert first.json()["id"] == again.json()["id"]
    assert send(b"email\nbob@example.com\n").status_code == 409
    assert ImportRun.objects.count() == 1


def test_a_day_later_the_key_is_free(sender):
    sender.post("/api/v1/tags/", {"name": "vip"})
    IdempotentRequest.objects.update(made_at=clock.now() - timedelta(hours=24))
    other = sender.post("/api/v1/tags/", {"name": "new"})
    assert other.status_code == 201
    assert "Idempotency-Replayed" not in other


def test_what_is_a_day_old_is_swept(sender):
    for number in range(3):
        sender.post("/api/v1/tags/", {"name": "vip"}, f"k-{number}")
    now = clock.now()
    retention.tidy(now=now + timedelta(hours=23))
    assert IdempotentRequest.objects.count() == 3
    assert idempotency.prune(now=now + timedelta(hours=25), limit=2)
    assert not idempotency.prune(now=now + timedelta(hours=25), limit=2)
    assert not IdempotentRequest.objects.exists()


def test_an_answer_that_is_too_large_is_not_kept_and_the_work_not_done_again(sender, monkeypatch):
    monkeypatch.setattr(idempotency, "LARGEST_ANSWER", 10)
    monkeypatch.setattr(idempotency, "UNDER_WAY", timedelta(0))
    assert sender.post("/api/v1/lists/", {"slug": "news", "name": "News"}).status_code == 201
    again = sender.post("/api/v1/lists/", {"slug": "news", "name": "News"})
    assert again.status_code == 409
    assert "too large" in again.json()["detail"]
    assert lists() == 1


def test_an_answer_that_shows_a_secret_is_not_kept(sender):
    body = {"url": "https://crm.example/hook", "event_types": ["email_sent"]}
    first = sender.post("/api/v1/webhook-endpoints/", body)
    assert (first.status_code, "whsec_" in first.json()["secret"]) == (201, True)
    assert IdempotentRequest.objects.get().answer is None


def test_the_answers_about_somebody_go_with_them(sender):
    ada = sender.post("/api/v1/contacts/", {"external_id": 'a"da'}, "ada").json()["id"]
    sender.post("/api/v1/contacts/", {"external_id": "bob-17"}, "bob")
    assert sender.call("POST", f"/api/v1/contacts/{ada}/erase", b"").status_code == 200
    kept = [
        bytes(answer or b"") for answer in IdempotentRequest.objects.order_by("id").values_list("answer", flat=True)
    ]
    assert kept[0] == b""
    assert b"bob-17" in kept[1]


# -- with real commits -------------------------------------------------------------------------------------------------


@pytest.fixture
def committed(transactional_db) -> Sender:
    return Sender(make_key("admin"))


@pytest.mark.parametrize("number", range(3))
def test_of_two_at_once_one_works_and_both_are_told(committed, number):
    send = [lambda: committed.post("/api/v1/contacts/", ADA, f"race-{number}") for _ in range(4)]
    answers = together(*send)
    assert [answer.status_code for answer in answers] == [201] * 4, [answer.content for answer in answers]
    assert sum("Idempotency-Replayed" in answer for answer in answers) == 3
    assert Contact.objects.count() == 1


def test_who_comes_while_the_first_one_works_is_told_to_come_again(committed, monkeypatch):
    monkeypatch.setattr(idempotency, "PATIENCE", 0.0)
    committed.post("/api/v1/lists/", {"slug": "news", "name": "News"})
    IdempotentRequest.objects.update(status=None, content_type="", answer=None)
    second = committed.post("/api/v1/lists/", {"slug": "news", "name": "News"})
    assert (second.status_code, second["Retry-After"]) == (409, "1")
    assert "still being answered" in second.json()["detail"]


def test_killed_between_the_commit_and_the_answer_it_is_not_done_again(committed):
    connections.close_all()
    child = os.fork()
    if not child:
        chaos._plan = chaos.read_plan("idempotency.committed=kill:1")
        committed.post("/api/v1/lists/", {"slug": "news", "name": "News"})
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    assert lists() == 1  # committed, and nobody was told
    row = IdempotentRequest.objects.get()
    assert row.status is None
    IdempotentRequest.objects.update(made_at=row.made_at - timedelta(minutes=2))
    again = committed.post("/api/v1/lists/", {"slug": "news", "name": "News"})
    assert again.status_code == 409
    assert "carried out before" in again.json()["detail"]
    assert lists() == 1


def test_what_was_rolled_back_leaves_no_trace(committed):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE lists ADD CONSTRAINT broken CHECK (slug <> 'news') NOT VALID")
    try:
        assert committed.post("/api/v1/lists/", {"slug": "news", "name": "News"}).status_code == 500
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE lists DROP CONSTRAINT broken")
    assert not IdempotentRequest.objects.exists()
    assert committed.post("/api/v1/lists/", {"slug": "news", "name": "News"}).status_code == 201


def test_a_request_that_commits_twice_is_known_from_its_first_commit_on(committed):
    """A suppression commits, and then waits for those who are about to send."""
    body = {"address": "ada@example.com"}
    first, again = (committed.post("/api/v1/suppressions/", body) for _ in range(2))
    assert first.status_code == again.status_code == 201
    assert first.json() == again.json()
    assert again["Idempotency-Replayed"] == "true"
