"""POST /api/v1/events, as producers meet it."""

from __future__ import annotations

import json
import threading
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connection
from django.test import RequestFactory
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from contacts import clock, problems, signals
from contacts.models import Contact, ContactEvent, PendingEvent
from tests.contacts.conftest import Api, await_events, make_key

VECTORS = settings.BASE_DIR.parent / "shared/vectors/bad_input/jsontestsuite/test_parsing"


def good(n: int = 0, **more) -> dict:
    return {"type": "signed_up", "contact": {"external_id": f"c{n}"}, "event_id": f"e{n}", **more}


@pytest.mark.django_db
def test_the_answer_counts_what_became_of_each_element(api):
    answer = api.post_events(good(1), good(2), good(1), {"type": "x"}, good(3, occurred_at="2999-01-01T00:00:00Z"))
    assert (answer["accepted"], answer["duplicates"]) == (2, 1)
    assert [each["index"] for each in answer["rejected"]] == [3, 4]
    assert answer["rejected"][0]["errors"][0]["loc"] == ["contact"]
    assert set(answer["rejected"][0]["errors"][0]) == {"loc", "msg", "code"}
    assert answer["rejected"][1]["errors"][0]["code"] == "future"


@pytest.mark.django_db
def test_202_even_if_every_element_is_rejected(api):
    answer = api.post_events(5, {})
    assert (answer["accepted"], len(answer["rejected"])) == (0, 2)


@pytest.mark.django_db
def test_with_and_without_a_trailing_slash_and_never_a_redirect(api):
    body = json.dumps({"events": [good()]}).encode()
    assert api.post_bytes(body, "/api/v1/events").status_code == 202
    assert api.post_bytes(body, "/api/v1/events/").status_code == 202


@pytest.mark.django_db
def test_the_lane_is_what_the_producer_asks_for(api):
    await_events("signed_up")
    api.post_events(good(1), lane="bulk")
    api.post_events(good(2))
    assert sorted(PendingEvent.objects.values_list("lane", flat=True)) == ["bulk", "urgent"]


def odd(value: bytes) -> bytes:
    return b'{"type": "x", "contact": {"external_id": "bad"}, "properties": {"v": ' + value + b"}}"


MALFORMED = {
    "NaN": (odd(b"NaN"), "not_finite"),
    "NUL": (odd(b'"\\u0000"'), "nul"),
    "lone surrogate": (odd(b'"\\ud800"'), "surrogate"),
    "2^63": (odd(b"9223372036854775808"), "out_of_range"),
    "depth 10,000": (odd(b"[" * 10_000 + b"]" * 10_000), "too_deep"),
    "no identifier": (b'{"type": "x", "contact": {"name": "bad"}}', "missing"),
    "far ahead": (b'{"type": "x", "contact": {"external_id": "bad"}, "occurred_at": "FAR"}', "future"),
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", MALFORMED)
def test_one_malformed_event_among_a_thousand_is_rejected_and_the_others_are_durable_before_the_202(name):
    api = Api(make_key("events:write"))
    await_events("signed_up")
    element, code = MALFORMED[name]
    element = element.replace(b"FAR", (clock.now() + timedelta(hours=24, minutes=1)).isoformat().encode())
    answer = api.post_events(*[good(n) for n in range(500)], element, *[good(n) for n in range(500, 999)])
    assert (answer["accepted"], answer["duplicates"]) == (999, 0)
    assert [(each["index"], each["errors"][0]["code"]) for each in answer["rejected"]] == [(500, code)]
    assert seen_by_another_connection() == (999, 999)
    assert not Contact.objects.filter(external_id__startswith="bad").exists()


@pytest.mark.django_db(transaction=True)
def test_a_thousand_events_are_durable_before_the_202():
    api = Api(make_key("events:write"))
    await_events("signed_up")
    assert api.post_events(*[good(n) for n in range(1000)]) == {"accepted": 1000, "duplicates": 0, "rejected": []}
    assert seen_by_another_connection() == (1000, 1000)


def seen_by_another_connection() -> tuple[int, int]:
    counts = []

    def look() -> None:
        counts.extend((ContactEvent.objects.count(), PendingEvent.objects.count()))
        connection.close()

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    return counts[0], counts[1]


@pytest.mark.django_db(transaction=True)
def test_a_batch_that_could_not_be_committed_is_not_acknowledged():
    api = Api(make_key("events:write"))

    def hang(sender, **_):
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 1")
            cursor.execute("SELECT pg_sleep(1)")

    signals.events_recorded.connect(hang)
    try:
        response = api.post_bytes(json.dumps({"events": [good()]}).encode())
    finally:
        signals.events_recorded.disconnect(hang)
    assert (response.status_code, response.json()["status"]) == (503, 503)
    assert response.headers["Retry-After"] == "1"
    assert not ContactEvent.objects.exists()
    assert not Contact.objects.exists()


# -- what is not a batch -----------------------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff\xfe", b'{"events": []}', b'{"events": 1}'])
def test_anything_else_is_a_problem(api, body):
    response = api.post_bytes(body)
    assert response.status_code == 400
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json().keys() >= {"type", "title", "status", "detail"}
    assert response.json()["status"] == 400


@pytest.mark.django_db
def test_1001_events_are_too_many(api):
    assert api.post_bytes(json.dumps({"events": [good(n) for n in range(1001)]}).encode()).status_code == 400
    assert not ContactEvent.objects.exists()


@pytest.mark.django_db
def test_a_body_that_is_too_large_is_413(api, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    response = api.post_bytes(json.dumps({"events": [good(properties={"v": "x" * 2000})]}).encode())
    assert response.status_code == 413
    assert response.json()["status"] == 413


@pytest.mark.django_db
def test_a_body_of_millions_of_values_is_413(api):
    assert api.post_bytes(b'{"events": [' + b"[]," * 1_500_000 + b"[]]}").status_code == 413


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["get", "put", "patch", "delete", "options"])
def test_events_are_sent_with_post(client, method):
    response = getattr(client, method)("/api/v1/events")
    assert response.status_code == 405
    assert response.headers["Allow"] == "POST"
    assert response.json()["title"] == "Method Not Allowed"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "content_type", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain"]
)
def test_the_content_type_is_not_asked_for(client, content_type):
    body = json.dumps({"events": [good()]}).encode()
    key = {"Authorization": f"Bearer {make_key('events:write')}"}
    assert client.generic("POST", "/api/v1/events", body, content_type, headers=key).status_code == 202


def test_a_content_length_that_is_no_number_is_a_bad_request():
    from contacts.api.bodies import read_body

    request = RequestFactory().post("/api/v1/events", data=b"{}", content_type="application/json")
    request.META["CONTENT_LENGTH"] = "many"
    with pytest.raises(problems.BadRequest):
        read_body(request)


# -- never our fault ---------------------------------------------------------------------------------------------------


@pytest.mark.django_db
@hypothesis_settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    st.binary(max_size=300)
    | st.binary(max_size=300).map(lambda inner: b'{"events": [' + inner + b"]}")
    | st.text(max_size=100).map(lambda text: json.dumps({"events": [{"type": text, "user_id": text}]}).encode())
    | st.text(max_size=100).map(lambda text: json.dumps({"events": [good(properties={text: text})]}).encode())
    | st.floats().map(
        lambda number: json.dumps({"events": [good(timestamp=number, properties={"n": number})]}).encode()
    )
    | st.datetimes().map(lambda at: json.dumps({"events": [good(occurred_at=at.isoformat() + "Z")]}).encode())
)
@example(b'{"events": [{"type": "x", "contact": {"email": "\\ud800@example.com"}}]}')
@example(b'{"events": [{"type": "x", "contact": {"email": "a@\\u0661.com"}}]}')
@example(b'{"events": [{"type": "x", "contact": {"external_id": "' + b"x" * 8000 + b'"}}]}')
@example(b'{"events": [{"type": "x", "user_id": "a", "context": {"timezone": "/etc/passwd"}}]}')
def test_no_bytes_whatever_are_a_fault_of_ours(api, body):
    assert api.post_bytes(body).status_code in {202, 400}


@pytest.mark.django_db
@pytest.mark.skipif(not VECTORS.is_dir(), reason="the shared vectors are not here")
def test_the_test_suite_of_parsers_through_the_api(api):
    for number, file in enumerate(sorted(VECTORS.iterdir())):
        text = file.read_bytes()
        assert api.post_bytes(text).status_code == 400, file.name
        element = b'{"type": "x", "user_id": "vector", "properties": {"v": ' + text + b'}, "event_id": %d}' % number
        neighbour = json.dumps(good(number)).encode()
        response = api.post_bytes(b'{"events": [' + neighbour + b"," + element + b"]}")
        assert response.status_code in {202, 400}, file.name
        if file.name.startswith("y_"):
            assert response.status_code == 202, file.name
        if response.status_code == 202:
            assert response.json()["accepted"] + len(response.json()["rejected"]) == 2, file.name
            assert ContactEvent.objects.filter(contact_id=Contact.objects.get(external_id=f"c{number}").id).exists()


def test_addresses_that_do_not_exist_answer_programs_and_people_each_in_their_way(rf):
    problem = problems.page_not_found(rf.get("/api/v1/nothing"), Exception())
    assert (problem.status_code, problem.headers["Content-Type"]) == (404, "application/problem+json")
    page = problems.page_not_found(rf.get("/nothing"), Exception())
    assert page.headers["Content-Type"].startswith("text/html")
    assert problems.server_error(rf.get("/api/v1/events")).status_code == 500
    assert problems.bad_request(rf.get("/api/v1/events"), Exception()).status_code == 400


# -- clocks and regions ------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_clock_that_is_wrong_is_set_right_by_when_the_batch_was_sent(api):
    received = clock.now()
    skew = timedelta(hours=5)
    happened = received + skew - timedelta(minutes=30)
    answer = api.post_events(good(1, occurred_at=happened.isoformat()), good(2), sent_at=(received + skew).isoformat())
    assert answer["accepted"] == 2
    told, untold = ContactEvent.objects.order_by("id")
    assert abs(told.occurred_at - (received - timedelta(minutes=30))) < timedelta(seconds=30)
    assert untold.occurred_at == untold.recorded_at


@pytest.mark.django_db
def test_without_it_or_with_a_late_delivery_events_stay_at_their_own_age(api):
    happened = clock.now() - timedelta(days=3)
    api.post_events(good(1, occurred_at=happened.isoformat()))
    api.post_events(good(2, timestamp=happened.timestamp() * 1000), sent_at=happened.isoformat())
    for stored in ContactEvent.objects.all():
        assert abs(stored.occurred_at - happened) < timedelta(seconds=1)


@pytest.mark.django_db
@pytest.mark.parametrize("sent_at", ["yesterday", [], True, "2026-03-04T12:00:00", 1e300])
def test_a_sent_at_that_is_no_instant_is_a_bad_request(api, sent_at):
    response = api.post_bytes(json.dumps({"events": [good()], "sent_at": sent_at}).encode())
    assert response.status_code == 400
    assert response.json()["errors"][0]["loc"] == ["sent_at"]


@pytest.mark.django_db
def test_the_region_beside_an_event_is_the_one_of_its_context_unless_that_has_one(api, settings):
    settings.RESIDENCY_ALLOWED = ["eu"]
    answer = api.post_events(
        good(1, region="us"), good(2, region="us", context={"region": "eu"}), good(3, region=" EU "), good(4, region=5)
    )
    assert [(each["index"], each["errors"][0]["code"]) for each in answer["rejected"]] == [
        (0, "residency"), (3, "type")
    ]  # fmt: skip
    assert sorted(event.context["region"] for event in ContactEvent.objects.all()) == [" EU ", "eu"]
