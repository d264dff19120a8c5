"""The house's name, colours and address, as its pages and mails show them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery import branding
from delivery.branding import BLACK, WHITE, brand

COLORS = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")


@given(COLORS)
def test_text_can_be_read_on_any_colour(color):
    assert branding.contrast(color, branding.readable_on(color)) >= 4.5


@pytest.mark.parametrize(
    ("color", "text"),
    [("#000000", WHITE), ("#ffffff", BLACK), ("#1d4ed8", WHITE), ("#facc15", BLACK), ("#777777", BLACK)],
)
def test_the_text_is_the_one_that_stands_out_more(color, text):
    assert branding.readable_on(color) == text


def test_black_on_white_is_21_to_1():
    assert branding.contrast(BLACK, WHITE) == pytest.approx(21.0)


@pytest.mark.parametrize("given", ["#1D4ED8", "1d4ed8", " #1d4ed8 "])
def test_a_colour_may_be_written_in_several_ways(given):
    assert branding.color_of(given) == "#1d4ed8"
    assert branding.color_of("#ABC") == "#aabbcc"


@pytest.mark.parametrize("given", ["", "red", "#12345", "#1d4ed8;}body{display:none", "url(x)", "#ggg"])
def test_what_is_no_colour_is_none(settings, given):
    settings.BRAND_COLOR = given
    assert (brand().color, brand().on_color) == ("", "")


@pytest.mark.parametrize(
    "url",
    ["", "http://x.example/a.png", "https://", "https://x.example/a b", "https://x.example/a;script-src *",
     "javascript:1", "https://[x", "https://x.example/\n", "data:image/png;base64,xx"],
)  # fmt: skip
def test_what_is_no_picture_is_not_shown(settings, url):
    settings.BRAND_LOGO_URL = url
    assert brand().logo_url == ""


def test_the_address_is_one_line_and_the_name_falls_back_to_the_senders(settings):
    settings.POSTAL_ADDRESS = "Bells Ltd,\n  1 High Street \n\nLondon"
    settings.BRAND_NAME, settings.EMAIL_FROM_NAME = "", "The  Bells"
    assert brand().postal_address == "Bells Ltd, 1 High Street, London"
    assert brand().name == "The Bells"
