"""The quick look and the closer one agree, and the texts of elements are found again."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from contacts.collect import strict_json
from contacts.collect.strict_json import EVENT, Limits, element_texts, fault_in, read

SMALL = Limits(depth=3, string=12, total=200)
TEXTS = st.text(alphabet=st.sampled_from('aé€😀\x00\ud800"\\'), max_size=14)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**54), 2**54) | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


def as_read(value: object) -> object:
    return read(json.dumps(value).encode())


@given(VALUES)
@example({"a": ["x" * 12, {"b": [1]}]})
@example({"a": [[[1]]]})
@example({"é" * 7: 1})
@example({"a": "é" * 6})
@example(["a" * 12] * 14)
def test_the_quick_look_misses_nothing_that_the_closer_one_finds(value):
    found = as_read(value)
    quick = fault_in(found, SMALL)
    original, strict_json._bound = strict_json._bound, lambda *_: strict_json._CLOSER
    try:
        assert fault_in(found, SMALL) == quick
    finally:
        strict_json._bound = original


def test_sound_values_are_not_looked_at_twice(monkeypatch):
    monkeypatch.setattr(strict_json, "_Inspection", None)
    assert fault_in({"a": [1, 2.5, None, True, "é", {"b": "x" * 1000}]}, EVENT) is None


@given(st.lists(VALUES, min_size=1, max_size=5), st.sampled_from(["", " ", "\n\t "]), VALUES)
def test_the_texts_of_the_elements_are_those_that_were_sent(values, space, other):
    texts = [json.dumps(value) for value in values]
    inside = f"{space},{space}".join(texts)
    body = f'{space}{{"x":{json.dumps(other)}{space},"events"{space}:{space}[{space}{inside}{space}]{space}}}{space}'
    assert element_texts(body.encode(), "events") == texts


@pytest.mark.parametrize(
    ("body", "texts"),
    [
        (b'{"events": [1' + b"0" * 5000 + b", NaN]}", ["1" + "0" * 5000, "NaN"]),
        (b'{"events": ["\xff", 2]}', ['"\udcff"', "2"]),
        (b'{"events": [], "x": 1}', []),
        (b'{"events": 5}', []),
        (b'{"x": {"events": [1]}, "events": [2]}', ["2"]),
        (b'{"events": ["]", "\\"}", 3], "a": "[", "\\u0062": []}', ['"]"', '"\\"}"', "3"]),
    ],
)
def test_texts_are_found_whatever_they_hold(body, texts):
    assert element_texts(body, "events") == texts


def test_what_is_nested_without_end_is_cut_as_the_reader_cut_it():
    deep = b'{"events": [1, ' + b"[" * 50_000 + b"]" * 50_000 + b', "last"]}'
    texts = element_texts(deep, "events")
    assert (texts[0], texts[2], len(texts)) == ("1", '"last"', 3)
    assert len(texts[1]) < 300
