"""JSON as it is meant, and events as producers spell them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from io import BytesIO

import pytest
from django.conf import settings
from hypothesis import given
from hypothesis import strategies as st

from contacts.collect import parsing, strict_json
from contacts.collect.parsing import parse_batch, parse_event
from contacts.collect.strict_json import DOCUMENT, EVENT, NotJson, TooManyValues, fault_in, read
from contacts.events import NewEvent
from contacts.identifiers import Identifiers
from contacts.problems import BadRequest, TooLarge

VECTORS = settings.BASE_DIR.parent / "shared/vectors/bad_input/jsontestsuite/test_parsing"


# -- strict JSON -------------------------------------------------------------------------------------------------------


def code(body: bytes, limits=EVENT) -> str | None:
    fault = fault_in(read(body), limits)
    return fault.code if fault else None


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"NaN", "not_finite"),
        (b"-Infinity", "not_finite"),
        (b"1e400", "not_finite"),
        (b'"\\u0000"', "nul"),
        (b'{"\\u0000": 1}', "nul"),
        (b'"\\ud800"', "surrogate"),
        (b'"\\ude00\\ud83d"', "surrogate"),
        (b'"\xed\xa0\x80"', "surrogate"),
        (b'"\xff"', "surrogate"),
        (b'{"\\ud800": 1}', "surrogate"),
        (b"9007199254740993", "out_of_range"),
        (b"-9223372036854775809", "out_of_range"),
        (b"9" * 6000, "out_of_range"),
        (b'{"a": 1, "a": 2}', "duplicate_key"),
        (b"[" * 33 + b"]" * 33, "too_deep"),
        (b'{"a":' * 33 + b"1" + b"}" * 33, "too_deep"),
        (b"[" * 100_000 + b"]" * 100_000, "too_deep"),
        (b'{"a":[' * 50_000 + b"]}" * 50_000, "too_deep"),
        (b'"' + b"x" * 8193 + b'"', "too_long"),
        (b'"' + "ł".encode() * 4097 + b'"', "too_long"),
        (b'{"' + b"x" * 8193 + b'": 1}', "too_long"),
        (json.dumps(["x" * 8000] * 5).encode(), "too_large"),
        (json.dumps([0] * 20_000).encode(), "too_large"),
    ],
)
def test_what_json_cannot_mean_is_found(body, expected):
    assert code(body) == expected


@pytest.mark.parametrize(
    "body",
    [
        b"9007199254740992",
        b"-9007199254740992",
        b"1e308",
        b"1e-400",
        b"[" * 32 + b"]" * 32,
        b'"' + b"x" * 8192 + b'"',
        b'"\\ud83d\\ude00 \\u2028 \xf0\x9f\x98\x80"',
        json.dumps(["x" * 8000] * 4).encode(),
        b'{"a": {"a": [{"a": null}]}}',
    ],
)
def test_what_json_can_mean_is_taken(body):
    assert code(body) is None


def test_the_fault_says_where_and_never_what():
    fault = fault_in(read(b'{"contact": {"emails": ["a", "secret\\u0000"]}}'), EVENT)
    assert fault.loc == ("contact", "emails", 1)
    assert "secret" not in fault.msg


def test_an_over_deep_neighbour_changes_nothing_else():
    deep = b"[" * 50_000 + b'"[{"' + b"]" * 50_000
    values = read(b'[{"a": "[[[\\"{"}, ' + deep + b', "\\\\", ' + deep + b", {}]")
    assert values[0] == {"a": '[[["{'}
    assert values[2] == "\\"
    assert values[4] == {}
    assert [fault_in(value, EVENT) is None for value in values] == [True, False, True, False, True]


@pytest.mark.parametrize("body", [b"[" * 100_000, b"]" * 100_000, b"[" * 5000 + b"]" * 4999, b'"' + b'\\"' * 100_000])
def test_unbalanced_text_is_not_json(body):
    with pytest.raises(NotJson):
        read(body)


def test_a_body_of_nothing_but_punctuation_is_refused_before_it_takes_memory():
    with pytest.raises(TooManyValues):
        read(b"[" + b"[]," * 1_500_000 + b"[]]")


@given(st.binary(max_size=200) | st.text(alphabet='[]{}",:\\u0189eE+-.ntrfals \n').map(str.encode))
def test_any_bytes_are_a_value_or_not_json(body):
    try:
        value = read(body)
    except NotJson:
        return
    if fault_in(value, EVENT) is None:
        assert json.loads(json.dumps(value)) == json.loads(body)
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=5), inner, max_size=4
        ),
        max_leaves=20,
    )
)  # fmt: skip
def test_sound_json_is_read_as_it_is(value):
    body = json.dumps(value).encode()
    assert read(body) == value
    assert fault_in(read(body), EVENT) is None


@pytest.mark.skipif(not VECTORS.is_dir(), reason="the shared vectors are not here")
def test_the_test_suite_of_parsers_is_passed():
    files = sorted(VECTORS.iterdir())
    assert len(files) > 300
    for file in files:
        try:
            fault = fault_in(read(file.read_bytes()), DOCUMENT)
            taken = fault is None
        except (NotJson, TooManyValues):
            taken, fault = False, None
        if file.name.startswith("n_"):
            assert not taken, file.name
        if file.name.startswith("y_"):
            ours = {"y_object_duplicated_key.json", "y_object_duplicated_key_and_value.json"}
            unstorable = fault is not None and fault.code == "nul"
            assert taken or file.name in ours or unstorable, (file.name, fault)


# -- events ------------------------------------------------------------------------------------------------------------


def test_an_event_with_everything():
    event = parse_event(
        {
            "event_id": "e1",
            "type": "order_completed",
            "contact": {"external_id": "ada", "email": "ada@example.com", "anonymous_id": "d"},
            "occurred_at": "2026-03-04T13:00:00+01:00",
            "properties": {"total": 5},
            "context": {"ip": "::1"},
        }
    )
    assert event == NewEvent(
        "order_completed",
        datetime(2026, 3, 4, 12, 0, tzinfo=UTC),
        Identifiers("ada", "ada@example.com", "d"),
        {"total": 5},
        {"ip": "::1"},
        key="e1",
    )


def test_the_same_by_its_other_names():
    event = parse_event(
        {
            "event_type": "order_completed",
            "user_id": 17,
            "timestamp": 1772625600000,
            "payload": {"total": 5},
            "metadata": {"ip": "::1"},
        }
    )
    assert event == NewEvent(
        "order_completed",
        datetime(2026, 3, 4, 12, 0, tzinfo=UTC),
        Identifiers("17"),
        {"total": 5},
        {"ip": "::1"},
    )


def test_our_names_are_taken_before_the_others():
    event = parse_event(
        {"type": "a", "event_type": "b", "contact": {"external_id": "ada"}, "user_id": "bob", "properties": {}}
    )
    assert (event.type, event.contact) == ("a", Identifiers("ada"))


def test_the_least_that_an_event_needs():
    event = parse_event({"type": "seen", "contact": {"anonymous_id": "d"}, "occurred_at": None, "properties": None})
    assert event == NewEvent("seen", None, Identifiers(anonymous_id="d"), {}, {}, key=None)


GOOD = {"type": "seen", "contact": {"external_id": "ada"}}


@pytest.mark.parametrize(
    ("change", "loc", "expected"),
    [
        ({"type": None}, ("type",), "missing"),
        ({"type": " "}, ("type",), "type"),
        ({"type": 5}, ("type",), "type"),
        ({"type": "x" * 201}, ("type",), "too_long"),
        ({"contact": None}, ("contact",), "missing"),
        ({"contact": "ada"}, ("contact",), "type"),
        ({"contact": {}}, ("contact",), "missing"),
        ({"contact": {"external_id": ""}}, ("contact",), "missing"),
        ({"contact": {"external_id": True}}, ("contact", "external_id"), "type"),
        ({"contact": {"external_id": "ada", "email": "ada"}}, ("contact", "email"), "email"),
        ({"contact": {"email": 5}}, ("contact", "email"), "type"),
        ({"contact": {}, "user_id": []}, ("user_id",), "type"),
        ({"properties": []}, ("properties",), "type"),
        ({"context": "x"}, ("context",), "type"),
        ({"metadata": 5}, ("metadata",), "type"),
        ({"event_id": ""}, ("event_id",), "type"),
        ({"event_id": {}}, ("event_id",), "type"),
        ({"event_id": "x" * 256}, ("event_id",), "too_long"),
        ({"occurred_at": "yesterday"}, ("occurred_at",), "instant"),
        ({"occurred_at": "2026-03-04"}, ("occurred_at",), "zone"),
        ({"occurred_at": "2026-03-04T12:00:00"}, ("occurred_at",), "zone"),
        ({"occurred_at": "2026-02-30T12:00:00Z"}, ("occurred_at",), "instant"),
        ({"occurred_at": True}, ("occurred_at",), "instant"),
        ({"timestamp": 1e300}, ("timestamp",), "out_of_range"),
        ({"timestamp": 2**53}, ("timestamp",), "out_of_range"),
        ({"occurred_at": "0001-01-01T00:00:00+14:00"}, ("occurred_at",), "out_of_range"),
    ],
)
def test_what_is_wrong_is_named_by_its_place(change, loc, expected):
    faults = parse_event(GOOD | change)
    assert [(fault.loc, fault.code) for fault in faults] == [(loc, expected)]


def test_everything_that_is_wrong_is_said_at_once():
    faults = parse_event({"properties": 1, "context": 2, "occurred_at": "x"})
    assert {fault.loc[0] for fault in faults} == {"type", "contact", "properties", "context", "occurred_at"}


@pytest.mark.parametrize("element", [None, 5, "x", [], True])
def test_an_element_must_be_an_object(element):
    assert [fault.code for fault in parse_event(element)] == ["type"]


# -- batches -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'{"events": []}',
        b'{"events": {}}',
        b'{"event": []}',
        b'{"events": [{}], "lane": "fast"}',
        b'{"events": [{}], "lane": ["bulk"]}',
        b'{"events": [{}], "events": [{}]}',
        b'{"events": [{}], "sent_at": NaN}',
        b'{"events": [{}]',
        b'{"events": [{},]}',
        b'\xef\xbb\xbf{"events": [{}]}',
        '{"events": [{}]}'.encode("utf-16"),
        json.dumps({"events": [GOOD] * 1001}).encode(),
    ],
)
def test_a_body_that_is_no_batch_is_a_bad_request(body):
    with pytest.raises(BadRequest):
        parse_batch(body)


def test_good_and_bad_elements_keep_their_places():
    batch = parse_batch(b'{"events": [5, {"type": "a", "user_id": "x"}, NaN, {"type": "b", "user_id": "y"}], "x": 1}')
    assert batch.positions == [1, 3]
    assert [event.type for event in batch.events] == ["a", "b"]
    assert sorted(batch.rejected) == [0, 2]
    assert batch.lane == "urgent"


# -- the parser of the other views -------------------------------------------------------------------------------------


def test_the_frameworks_parser_takes_sound_documents_only():
    parser = parsing.StrictJSONParser()
    assert parser.parse(BytesIO(b'{"html": "' + b"x" * 100_000 + b'"}'))["html"] == "x" * 100_000
    for body in (b'{"a": NaN}', b'{"a": 1, "a": 2}', b"{", b"[" * 100_000):
        with pytest.raises(BadRequest):
            parser.parse(BytesIO(body))


def test_the_frameworks_parser_reads_no_more_than_the_limit(settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    stream = BytesIO(b'"' + b"x" * 10_000 + b'"')
    with pytest.raises(TooLarge):
        parsing.StrictJSONParser().parse(stream)
    assert stream.tell() == 1001


def test_every_limit_lies_above_what_is_cut_away():
    assert max(EVENT.depth, DOCUMENT.depth) < strict_json.DEEPEST_READ
