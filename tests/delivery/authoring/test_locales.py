"""Which language of a template somebody reads."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from delivery.authoring import locales

AVAILABLE = {"de", "de-AT", "zh-Hant", "zh", "pt-BR", "sr-Latn", "he", "en-GB"}


@pytest.mark.parametrize(
    ("spoken", "read"),
    [
        ("de", "de"), ("de-AT", "de-AT"), ("de-CH", "de"), ("DE_at", "de-AT"), ("de_DE.UTF-8", "de"),
        ("de-DE@euro", "de"),
        ("zh-Hant-TW", "zh-Hant"), ("zh-TW", "zh-Hant"), ("zh-HK", "zh-Hant"), ("zh-CN", "zh"), ("zh-Hans-SG", "zh"),
        ("pt", ""), ("pt-PT", ""), ("pt-BR", "pt-BR"), ("sr-Cyrl-RS", ""), ("sr-Latn-RS", "sr-Latn"), ("iw", "he"),
        ("en-US", ""), ("en-GB-oxendict", "en-GB"), ("fr", ""), ("", ""), ("  ", ""), ("x" * 200, ""), ("de-\x00", ""),
        ("d", ""), ("12", ""),
    ],
)  # fmt: skip
def test_the_nearest_language_that_is_there(spoken, read):
    assert locales.pick(spoken, AVAILABLE) == read


def test_without_languages_everybody_reads_the_templates_own_words():
    assert locales.pick("de", []) == ""


@given(some.text(max_size=40), some.sets(some.sampled_from(sorted(AVAILABLE))))
def test_any_text_is_answered_by_one_that_is_there_or_by_none(spoken, available):
    assert locales.pick(spoken, available) in available | {""}


@given(some.from_regex(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2})?", fullmatch=True))
def test_a_canonical_tag_is_its_own_canonical_form(tag):
    once = locales.canonical(tag)
    assert once and locales.canonical(once) == once
