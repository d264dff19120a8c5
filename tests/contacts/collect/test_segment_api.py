"""Segment's HTTP API as its clients speak it: bodies, keys, answers."""

from __future__ import annotations

import base64
import gzip
import json
import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contacts.collect.segment import bodies
from contacts.problems import TooLarge
from tests.contacts.collect.segment import (
    Producer,
    counted,
    events_of,
    key_row,
    make_write_key,
    quarantined,
    rows,
    stored,
    user,
)
from tests.contacts.conftest import await_events, make_key

pytestmark = pytest.mark.django_db

TRACK = {"type": "track", "userId": "ada", "event": "Order Completed", "messageId": "m1", "properties": {"total": 9}}
ZIPPED = gzip.compress(b'{"batch": []}', mtime=0)
SUCCESS = (200, b'{"success": true}')
PATHS = ("track", "identify", "page", "screen", "group", "alias", "batch", "import", "t", "i", "p", "s", "g", "a", "b")


@pytest.fixture
def server() -> Producer:
    return Producer(make_write_key("server"))


@pytest.fixture
def browser() -> Producer:
    return Producer(make_write_key("browser"))


def answer(response) -> tuple[int, bytes]:
    return response.status_code, response.content


def refused(response, status: int, code: str) -> None:
    assert response.status_code == status, response.content
    said = response.json()
    assert set(said) == {"code", "message"}
    assert said["code"] == code
    assert said["message"]
    assert response["Access-Control-Allow-Origin"] == "*"


# -- what comes in -----------------------------------------------------------------------------------------------------


def test_a_message_becomes_an_event_of_its_contact(server):
    assert answer(server.post("/v1/track", TRACK)) == SUCCESS
    assert stored() == [("Order Completed", {"total": 9}, "segment", True)]
    assert events_of(user("ada")) == ["Order Completed"]
    assert counted() == {"accepted": 1}


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize(
    ("path", "message", "type"),
    [
        ("track", {"event": "x"}, "x"),
        ("t", {"event": "x"}, "x"),
        ("page", {"name": "Home"}, "page_viewed"),
        ("p", {}, "page_viewed"),
        ("screen", {"name": "Home"}, "screen_viewed"),
        ("s", {}, "screen_viewed"),
        ("identify", {"traits": {}}, "contact_identified"),
        ("i", {}, "contact_identified"),
        ("group", {"groupId": "g"}, "group_joined"),
        ("g", {"groupId": 7}, "group_joined"),
        ("alias", {"previousId": "a"}, "contact_aliased"),
        ("a", {"previousId": "a"}, "contact_aliased"),
    ],
)
def test_every_address_takes_its_kind_with_and_without_a_slash(server, path, message, type, slash):
    assert answer(server.post(f"/v1/{path}{slash}", {"userId": "ada", **message})) == SUCCESS
    assert events_of(user("ada")) == [type]


@pytest.mark.parametrize("path", ["batch", "b", "batch/", "import"])
def test_a_batch_takes_all_kinds_in_their_order(server, path):
    messages = [
        TRACK,
        {"type": "page", "userId": "ada", "name": "Home", "category": "shop", "properties": {"url": "/"}},
        {"type": "group", "userId": "ada", "groupId": "initech", "traits": {"plan": "pro"}},
    ]
    assert answer(server.post(f"/v1/{path}", {"batch": messages})) == SUCCESS
    assert [(type, properties) for type, properties, *_ in stored()] == [
        ("Order Completed", {"total": 9}),
        ("page_viewed", {"name": "Home", "category": "shop", "url": "/"}),
        ("group_joined", {"groupId": "initech", "traits": {"plan": "pro"}}),
    ]


def test_the_import_and_a_batch_that_says_so_are_the_bulk_lane(server, count):
    await_events("Order Completed")
    server.send({**TRACK, "messageId": "1"})
    server.send({**TRACK, "messageId": "2"}, lane="bulk")
    server.post("/v1/import", {"batch": [{**TRACK, "messageId": "3"}]})
    assert count("pending_events", "lane = 'urgent'") == 1
    assert count("pending_events", "lane = 'bulk'") == 2


def test_the_same_message_again_is_a_duplicate_and_is_counted(server):
    server.send(TRACK, TRACK)
    server.send(TRACK)
    assert len(stored()) == 1
    assert counted() == {"accepted": 1, "duplicate": 2}


def test_an_empty_batch_is_a_success(server):
    server.send()
    assert stored() == []


def test_what_a_batch_says_for_all_holds_where_a_message_says_nothing(server, count):
    server.send(TRACK, {**TRACK, "messageId": "2", "context": {"ip": "1"}}, context={"ip": "0", "app": "shop"})
    assert count("contact_events", """context = '{"ip": "0", "app": "shop"}'""") == 1
    assert count("contact_events", """context = '{"ip": "1", "app": "shop"}'""") == 1


@pytest.mark.parametrize("type", ["application/json", "text/plain", "application/x-www-form-urlencoded", ""])
@pytest.mark.parametrize("packed", ["plain", "gzip", "gzip that says so", "two gzip members"])
def test_a_body_is_read_whatever_it_is_called(server, type, packed):
    body = json.dumps(TRACK).encode()
    headers = {"Content_Encoding": "gzip"} if packed == "gzip that says so" else {}
    if packed == "two gzip members":
        body = gzip.compress(body[:9]) + gzip.compress(body[9:])
    elif packed != "plain":
        body = gzip.compress(body)
    assert answer(server.call("POST", "/v1/track", body, type=type, **headers)) == SUCCESS
    assert len(stored()) == 1


def test_a_byte_order_mark_does_no_harm(server):
    assert answer(server.call("POST", "/v1/track", b"\xef\xbb\xbf" + json.dumps(TRACK).encode())) == SUCCESS


# -- keys --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "in_body"),
    [
        (lambda key: f"Basic {base64.b64encode(f'{key}:'.encode()).decode()}", False),
        (lambda key: f"basic {base64.b64encode(key.encode()).decode()}", False),
        (lambda key: f"Bearer {key}", False),
        (lambda key: "", True),
        (lambda key: "Bearer an.oauth.token", True),
        (lambda key: "Basic !!!", True),
    ],
)
def test_the_key_may_come_in_the_header_or_in_the_body(server, header, in_body):
    server.headers = {"Authorization": header(server.key)}
    key = {"writeKey": server.key} if in_body else {}
    assert answer(server.post("/v1/track", {**TRACK, **key})) == SUCCESS
    assert answer(server.post("/v1/batch", {"batch": [{**TRACK, "messageId": "2"}], **key})) == SUCCESS
    assert answer(server.post("/v1/batch", {"batch": [{**TRACK, "messageId": "3", **key}]})) == SUCCESS
    assert len(stored()) == 3


@pytest.mark.parametrize("what", ["none", "unknown", "revoked", "secret", "body of another"])
def test_without_a_valid_write_key_nothing_is_taken(server, what):
    if what == "secret":
        server = Producer(make_key("events:write"))
    if what == "unknown":
        server = Producer(server.key[:-1] + ("a" if server.key[-1] != "a" else "b"))
    if what == "revoked":
        key_row(server.key).delete()
    if what in {"none", "body of another"}:
        server.headers = {}
    refused(server.post("/v1/track", {**TRACK, "writeKey": 5}), 401, "invalid_write_key")
    assert stored() == []


def test_a_key_that_sends_is_remembered_for_the_light_of_the_installation_page(browser):
    assert key_row(browser.key).last_event_at is None
    browser.post("/v1/page", {"anonymousId": "a"})
    first = key_row(browser.key).last_event_at
    browser.post("/v1/page", {"anonymousId": "a"})
    assert first is not None
    assert key_row(browser.key).last_event_at == first, "not more often than every ten seconds"


# -- sizes and nonsense ------------------------------------------------------------------------------------------------


def big(size: int) -> dict:
    """A message whose JSON has this many bytes."""
    message = {**TRACK, "properties": {}}
    while (missing := size - len(json.dumps(message, separators=(",", ":")))) > 0:
        name = f"p{len(message['properties'])}"
        message["properties"][name] = "x" * max(0, min(8000, missing - len(name) - 6))
    return message


def test_a_message_of_32_kib_is_taken_and_a_larger_one_is_not(server):
    assert answer(server.post("/v1/track", big(32_700))) == SUCCESS
    refused(server.post("/v1/track", big(33_500)), 413, "too_large")
    server.send({**big(33_500), "messageId": "2"}, {**TRACK, "messageId": "3"})
    assert len(stored()) == 2
    assert quarantined() == [("segment", "too_large")] * 2


def test_a_body_of_500_kb_is_taken_and_a_larger_one_is_not(server):
    few = [{**big(25_000), "messageId": str(number)} for number in range(19)]
    server.send(*few)
    assert len(stored()) == 19
    refused(server.post("/v1/batch", {"batch": few * 2}), 413, "too_large")


def test_a_small_file_that_stands_for_a_big_one_is_given_up_early(server):
    bomb = gzip.compress(b"[" * 200_000_000, compresslevel=9)
    assert len(bomb) < bodies.LARGEST
    tracemalloc.start()
    with pytest.raises(TooLarge):
        bodies.unpack(bomb)
    assert tracemalloc.get_traced_memory()[1] < 4 * bodies.LARGEST
    tracemalloc.stop()
    refused(server.call("POST", "/v1/batch", bomb), 413, "too_large")
    refused(server.call("POST", "/v1/batch", gzip.compress(b"[" * 400_000) * 2), 413, "too_large")
    refused(server.call("POST", "/v1/batch", gzip.compress(b" ") * 20_000), 400, "invalid")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "invalid_json"),
        (b"{", "invalid_json"),
        (b"[]", "invalid"),
        (b"null", "invalid"),
        (b'{"batch": 5}', "type"),
        (b'{"batch": [], "context": 5}', "type"),
        (b'{"batch": [], "batch": []}', "duplicate_key"),
        (b"\x1f\x8b", "invalid"),
        (ZIPPED[:-9], "invalid"),
        (ZIPPED + b"tail", "invalid"),
        (ZIPPED[:-8] + bytes(8), "invalid"),
    ],
)
def test_a_body_that_is_no_batch_is_refused_as_a_whole(server, body, code):
    refused(server.call("POST", "/v1/batch", body), 400, code)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"type": "track", "userId": "ada"}, "missing"),
        ({"type": "track", "event": "x"}, "no_user_anon_id"),
        ({"type": "track", "event": 5, "userId": "ada"}, "type"),
        ({"type": "track", "event": "x", "userId": {"id": 5}}, "type"),
        ({"type": "track", "event": "x" * 201, "userId": "ada"}, "too_long"),
        ({"type": "track", "event": "x", "userId": "ada", "messageId": "m" * 256}, "too_long"),
        ({"type": "track", "event": "x", "userId": "ada", "timestamp": "yesterday"}, "instant"),
        ({"type": "track", "event": "x", "userId": "ada", "properties": []}, "type"),
        ({"type": "track", "event": "x", "userId": "ada", "properties": {"a": "\x00"}}, "nul"),
        ({"type": "track", "event": "x", "userId": "ada", "timestamp": "2999-01-01T00:00:00Z"}, "future"),
        ({"type": "alias", "userId": "ada"}, "missing"),
        ({"type": "group", "userId": "ada"}, "missing"),
        ({"type": "deed", "userId": "ada"}, "choice"),
        (5, "type"),
    ],
)
def test_a_malformed_message_of_a_batch_is_kept_and_counted_and_takes_no_other_along(server, message, code):
    server.send(message, TRACK)
    assert [type for type, *_ in stored()] == ["Order Completed"]
    assert quarantined() == [("segment", code)]
    assert counted() == {"accepted": 1, f"rejected:{code}": 1}


def test_a_malformed_message_that_comes_alone_is_told_so_and_kept(server):
    refused(server.say("track", userId="ada"), 400, "missing")
    assert quarantined() == [("segment", "missing")]


def test_messages_behind_the_2500th_are_refused_one_by_one(server):
    messages = [{"type": "track", "userId": "a", "event": "x", "messageId": f"{number}"} for number in range(2502)]
    server.send(*messages)
    assert counted() == {"accepted": 2500, "rejected:too_many": 2}


def test_the_quarantine_does_not_keep_the_proof_of_who_somebody_is(server, count):
    server.send({"type": "track", "userId": "ada", "context": {"user_hash": 'secret"proof'}})
    assert count("quarantined_events") == 1
    assert count("quarantined_events", "raw LIKE '%%proof%%'") == 0


SCRAPS = st.sampled_from(
    [b'{"batch":[', b"]}", b'{"type":"track","event":"x","userId":"u"}', b",", b'{"type":"identify","userId":"u"',
     b',"traits":', b'{"email":"a@b.co"}', b"}", b"NaN", b"1e400", b'"\\ud800"', b'"\\u0000"', b"[" * 50, b"9" * 400,
     b'"timestamp":', b"\xff\xfe", b"\x1f\x8b\x08", b'"context":{"consent":5}', b'"messageId":null',
     b'"sentAt":"0001-01-01T00:00:00Z"']
)  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)
    | st.sampled_from(["track", "identify", "alias", "a@b.co", "u", "2020-02-30", "9999-12-31T23:59:59Z", "+49 30 1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["type", "userId", "anonymousId", "previousId", "groupId", "event", "traits", "properties",
                         "context", "email", "phone", "timezone", "createdAt", "timestamp", "originalTimestamp",
                         "sentAt", "messageId", "batch", "user_hash", "region", "x"]), inner, max_size=6),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.one_of(st.binary(max_size=60), st.lists(SCRAPS, max_size=6).map(b"".join)), path=st.sampled_from(PATHS))
def test_no_bytes_are_our_fault(server, browser, body, path):
    for producer in (server, browser):
        assert producer.call("POST", f"/v1/{path}", body).status_code < 500


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(messages=st.lists(VALUES, max_size=3), path=st.sampled_from(PATHS), zipped=st.booleans())
def test_no_message_is_our_fault(server, browser, messages, path, zipped):
    value = {"batch": messages} if path in {"batch", "b", "import"} else (messages or [{}])[0]
    body = json.dumps(value).encode()
    for producer in (server, browser):
        response = producer.call("POST", f"/v1/{path}", gzip.compress(body) if zipped else body)
        assert response.status_code < 500, response.content
        if path in {"batch", "b", "import"}:
            assert response.status_code in {200, 413}


# -- the browser's side ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [*PATHS, "projects/wk_x/settings", "nonsense"])
def test_any_page_may_ask_beforehand(server, path):
    response = server.call(
        "OPTIONS", f"/v1/{path}", Origin="https://shop.example", Access_Control_Request_Method="POST",
        Access_Control_Request_Headers="authorization,content-type",
    )  # fmt: skip
    assert response.status_code == 204
    assert response["Access-Control-Allow-Origin"] == "*"
    assert {"authorization", "content-type"} <= set(response["Access-Control-Allow-Headers"].split(", "))
    assert "Access-Control-Allow-Credentials" not in response
    assert not response.cookies


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH"])
def test_another_method_is_told_which_one(server, method):
    response = server.call(method, "/v1/track")
    assert response.status_code == 405
    assert response["Allow"] == "POST, OPTIONS"


def test_the_project_says_where_the_browser_client_is_to_send(browser):
    response = browser.call("GET", f"/v1/projects/{browser.key}/settings", Host="localhost")
    assert response.status_code == 200
    assert response["Access-Control-Allow-Origin"] == "*"
    ours = response.json()["integrations"]["Segment.io"]
    assert (ours["apiKey"], ours["apiHost"], ours["protocol"]) == (browser.key, "localhost/v1", "http")
    assert response.json()["metrics"]["sampleRate"] == 0
    assert browser.call("HEAD", f"/v1/projects/{browser.key}/settings/").status_code == 200


def test_a_project_that_is_not_there_is_not_found(browser):
    refused(browser.call("GET", "/v1/projects/wk_nobody/settings"), 404, "invalid_write_key")
    refused(browser.call("GET", "/v1/nothing"), 404, "not_found")


def test_nothing_is_redirected_where_the_house_speaks_https(browser, settings):
    settings.SECURE_SSL_REDIRECT = True
    assert answer(browser.post("/v1/page", {"anonymousId": "a"})) == SUCCESS


def test_no_key_lies_in_the_quarantine(server):
    """It came in the body; a server's opens the door."""
    assert server.say("track", userId="ada", writeKey=server.key).status_code == 400
    server.send({"type": "track", "userId": "ada", "writeKey": server.key})
    kept = [raw for (raw,) in rows("SELECT raw FROM quarantined_events")]
    assert len(kept) == 2
    assert all('"ada"' in raw and server.key not in raw for raw in kept)
