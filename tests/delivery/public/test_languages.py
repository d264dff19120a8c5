"""The words of public pages: nobody meets half a page of another language."""

from __future__ import annotations

import string
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.public import languages
from delivery.public.languages import WORDINGS, language
from delivery.public.languages.words import PageWords

NAMES = [field.name for field in fields(PageWords) if field.name != "is_rtl"]
SAME_IN_BOTH = {"email", "sms", "footer_unsubscribe", "unsubscribe_button", "unsubscribe_title", "saved", "save_button"}


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("code", WORDINGS)
def test_every_language_has_every_word_and_the_same_places(code):
    words = WORDINGS[code]
    for name in NAMES:
        text = getattr(words, name)
        assert text.strip() == text and text, (code, name)
        assert places(text) == ({"address"} if name == "preferences_for" else set()), (code, name)
        assert not set(text) & set("<>\n"), (code, name)


def test_the_ten_languages_are_there_and_no_word_was_left_in_english():
    assert list(WORDINGS) == ["en", "de", "fr", "es", "it", "nl", "pt", "pl", "ja", "ar"]
    english = WORDINGS["en"]
    left = {
        (code, name)
        for code, words in WORDINGS.items()
        for name in set(NAMES) - SAME_IN_BOTH
        if code != "en" and getattr(words, name) == getattr(english, name)
    }
    assert left == set()


@pytest.mark.parametrize(
    ("locale", "accepted", "code"),
    [
        ("de-AT", "fr", "de"),
        ("pt_BR", "", "pt"),
        ("DE", "", "de"),
        ("", "fr-CH, fr;q=0.9, en;q=0.8, de;q=0.7, *;q=0.5", "fr"),
        ("", "en;q=0.2, ja;q=0.9", "ja"),
        ("", "de;q=0, pl;q=0.1", "pl"),
        ("", "tlh, de", "de"),
        ("sv", "de", "de"),
        ("sv", "fi", "en"),
        ("", "*", "en"),
        ("", ";;q=,,", "en"),
        ("  ", "", "en"),
    ],
)
def test_the_contacts_locale_decides_then_the_browser_then_english(locale, accepted, code):
    assert language(locale, accepted).code == code


@given(st.text(max_size=50), st.text(max_size=700))
def test_whatever_they_say_there_is_a_language(locale, accepted):
    assert language(locale, accepted).words is WORDINGS[language(locale, accepted).code]


def test_arabic_is_written_from_right_to_left_and_nothing_else_is():
    assert {code for code in WORDINGS if language(code).direction == "rtl"} == {"ar"}
    assert languages.DEFAULT == "en"
