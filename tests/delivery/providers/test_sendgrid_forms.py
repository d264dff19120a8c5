"""The quick way to SendGrid's JSON beside the package's own."""

from __future__ import annotations

import json
from unittest import mock

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sendgrid.helpers.mail import ApiKeyIncludedException

from delivery.providers.base import Letter
from delivery.providers.sendgrid import forms, sending

texts = st.text(max_size=40) | st.sampled_from(
    ["", "x", '\\"\n\r\t\x00\x1f\x7f', "\ud800", "ünï 🙂\u2028", "SG.a.b", "{{x}}"]
)
addresses = st.sampled_from(
    ["zoe@example.com", "a.b+c@d-e.example", "Zoë <zoe@example.com>", "a b@c", "x@localhost", "", "o'neil@example.com"]
)
letters = st.builds(
    Letter,
    mid=st.uuids().map(str) | texts,
    to_address=addresses,
    from_address=st.sampled_from(["news@example.com", "post@example.org"]),
    from_name=st.sampled_from(["", "Ünï & Co", 'a"b']),
    subject=texts,
    html=texts,
    text=texts,
    headers=st.dictionaries(st.sampled_from(["List-Unsubscribe", "X-1", "a"]), texts, max_size=3),
    message_class=st.sampled_from(["marketing", "transactional"]),
    may_be_tracked=st.booleans(),
)
PLAIN = Letter(
    "m", "zoe@example.com", "news@example.com", "", "s", '<p class="x">it\'s\n</p>', "t", {"A": '"', "B": "\\"}
)


@given(letters)
@example(PLAIN)
@settings(max_examples=500, deadline=None)
def test_it_is_the_same_json_as_the_packages(letter):
    try:
        expected = json.loads(json.dumps(sending.body(letter)))
    except ApiKeyIncludedException:
        with pytest.raises(ApiKeyIncludedException):
            forms.encoded(letter, sending.body, pool="")
    else:
        assert json.loads(forms.encoded(letter, sending.body, pool="")) == expected


def test_the_package_is_asked_once_for_letters_of_a_form():
    build = mock.Mock(side_effect=sending.body)
    for n in range(5):
        letter = Letter(
            f"m{n}", f"a{n}@example.com", "news@example.com", "N", f"s{n}", f"<p>{n}", f"t{n}", {"A": f"{n}"}
        )
        assert json.loads(forms.encoded(letter, build, pool="")) == sending.body(letter)
    assert build.call_count == 1


def test_the_marks_of_a_form_are_not_to_be_guessed():
    letter = Letter("m", "a@example.com", "news@example.com", "", "x-mid", "-html", "0-to@nowhere.invalid", {})
    assert json.loads(forms.encoded(letter, sending.body, pool="")) == sending.body(letter)
