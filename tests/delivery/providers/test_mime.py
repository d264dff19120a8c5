"""Letters as mails: whatever is in a name, an address or a subject, the mail is well-formed and says what was meant."""

from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes
from email.header import decode_header, make_header
from email.utils import parseaddr

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from delivery.providers import letters, mime
from tests.delivery.providers.conftest import MID, letter
from tests.delivery.providers.reading import read

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
LONG = "https://mail.example/u/" + "x" * 300
WORDS = {
    "plain": "Welcome to the shop",
    "umlauts": "Grüße aus Köln",
    "emoji": "🎉 Your 🎂 is here 👩‍👩‍👧",
    "right to left": "שלום עולם، مرحبا",
    "mixed": "عرض 50% off — только сегодня",
    "very long": "A very long subject that goes on " * 30,
    "very long and foreign": "とても長い件名です。" * 90,
    "one endless word": "x" * 1500,
    "spaces": "two  spaces   and more" + " " * 90 + "end",
    "like something encoded": "=?utf-8?q?hello?=",
    "quotes": 'He said "hello", \\ they (said) <x@y>; ok: z',
    "two lines": "Hello\r\nBcc: eve@example.net",
    "controls": "nul\x00 bell\x07 next\x85 separator\u2028",
    "a lone surrogate": "half \ud83d",
    "nothing": "",
}


def mail(**changes):
    return read(mime.message(letters.checked(letter(**changes)), now=NOW))


def meant(text: str) -> str:
    return letters.one_line(text)


@pytest.mark.parametrize("subject", WORDS.values(), ids=WORDS.keys())
def test_a_subject_says_what_was_meant(subject):
    assert str(mail(subject=subject)["Subject"]) == (meant(subject) or "(no subject)")


@pytest.mark.parametrize("name", WORDS.values(), ids=WORDS.keys())
def test_a_name_says_what_was_meant_and_stays_one(name):
    data = mime.message(letters.checked(letter(from_name=name)), now=NOW)
    read(data)
    # the standard library's newer reader puts spaces between encoded words of a name, against RFC 2047; its older one
    # does not
    shown, address = parseaddr(message_from_bytes(data)["From"].replace("\r\n", ""))
    assert str(make_header(decode_header(shown))) == " ".join(meant(name).split())[: letters.LONGEST_NAME].strip()
    assert address == "hello@carillon.example"


@given(text=st.text(max_size=300))
@example(text="a =?b")
@example(text=" \t x")
@example(text="a " * 200)
def test_any_text_may_stand_in_a_subject_and_in_a_name(text):
    read_back = mail(subject=text, from_name=text)
    assert " ".join(str(read_back["Subject"]).split()) == " ".join(meant(text).split() or ["(no", "subject)"])
    assert len(read_back["From"].addresses) == 1


def test_an_international_domain_is_written_in_ascii():
    assert str(mail(to_address="ada@bücher.example")["To"]) == "ada@xn--bcher-kva.example"
    assert mail(from_address="hallo@Bücher.example")["From"].addresses[0].domain == "xn--bcher-kva.example"


def test_text_and_html_are_two_ways_to_read_one_mail():
    read_back = mail(html="<p>Grüße 🎉</p>\n" + "x" * 5000, text="Grüße 🎉\n.\n..\nend")
    assert read_back.get_content_type() == "multipart/alternative"
    plain, html = read_back.iter_parts()
    assert plain.get_content() == "Grüße 🎉\r\n.\r\n..\r\nend"
    assert html.get_content().startswith("<p>Grüße 🎉</p>")
    assert mail(html="").get_content() == "Hi"


def test_one_click_unsubscribing_survives_a_long_link():
    headers = {"List-Unsubscribe": f"<{LONG}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
    assert str(mail(headers=headers)["List-Unsubscribe"]) == f"<{LONG}>"


def test_the_message_is_known_by_our_id():
    assert mail()["Message-ID"] == f"<{MID}@carillon.example>"


@pytest.mark.parametrize(
    "headers", [{"from": "x@example.com"}, {"SUBJECT": "x"}, {"Message-Id": "<1@x>"}, {"mime-version": "2"}]
)
def test_what_every_mail_has_once_it_does_not_get_twice(headers):
    with pytest.raises(letters.Unsendable):
        mail(headers=headers)


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Note": "one\r\nBcc: eve@example.net"},
        {"X-Note": "one\nBcc: eve@example.net"},
        {"X-Note": "nul\x00"},
        {"X-Note": "x" * 1000},
        {"X-Note\r\nBcc": "eve"},
        {"": "x"},
        {"X Note": "x"},
        {"Ünote": "x"},
    ],
)
def test_a_header_that_would_be_two_is_refused(headers):
    with pytest.raises(letters.Unsendable):
        mail(headers=headers)


@pytest.mark.parametrize(
    "address",
    ["", "ada", "@example.com", "ada@", "a b@example.com", "a@b>\r\nX: y", "a,b@example.com", "<a@b.example>"],
)
def test_an_address_that_is_none_is_refused(address):
    with pytest.raises(letters.Unsendable):
        mail(to_address=address)
