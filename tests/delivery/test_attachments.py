"""Files in mail to those who work here, whichever provider takes it."""

from __future__ import annotations

import base64
import email
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import default

import pytest

from delivery.providers import mime
from delivery.providers.anymail import carriers
from delivery.providers.anymail import sending as anymail_sending
from delivery.providers.base import Attachment, Letter
from delivery.providers.letters import Unsendable
from delivery.providers.sendgrid import forms
from delivery.providers.sendgrid import sending as sendgrid

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
CONTENT = "stage,ever\r\nCustomer é,3\r\n"
LETTER = Letter(
    mid="0b9c", to_address="maya@example.com", from_address="news@example.com", from_name="House", subject="Funnel",
    html="<p>Words</p>", text="Words", attachments=(Attachment("funnel.csv", "text/csv", CONTENT),),
)  # fmt: skip


@pytest.mark.parametrize("html", ["<p>Words</p>", ""])
def test_a_mail_of_mime_has_its_words_and_then_its_files(html):
    read = email.message_from_bytes(mime.message(replace(LETTER, html=html), now=NOW), policy=default)
    assert isinstance(read, EmailMessage)
    assert read.get_content_type() == "multipart/mixed"
    (file,) = read.iter_attachments()
    assert (file.get_filename(), file.get_content_type()) == ("funnel.csv", "text/csv")
    assert file.get_content().replace("\r\n", "\n") == CONTENT.replace("\r\n", "\n")
    body = read.get_body(("html", "plain"))
    assert body is not None
    assert "Words" in body.get_content()
    assert read.defects == []


def test_no_boundary_begins_another():
    lines = mime.message(LETTER, now=NOW).decode().splitlines()
    boundaries = {line.removesuffix("--") for line in lines if line.startswith("--=_")}
    assert len(boundaries) == 2
    one, other = boundaries
    assert not one.startswith(other)
    assert not other.startswith(one)


@pytest.mark.parametrize("name", ['a"b.csv', "a\r\nBcc: x@example.com", "../a.csv", ""])
def test_a_name_that_could_break_a_header_is_not_sent(name):
    with pytest.raises(Unsendable):
        mime.message(replace(LETTER, attachments=(Attachment(name, "text/csv", ""),)), now=NOW)


def test_sendgrid_gets_the_file_and_letters_without_one_go_on_as_before():
    (file,) = sendgrid.body(LETTER)["attachments"]
    assert (file["filename"], file["type"]) == ("funnel.csv", "text/csv")
    assert base64.b64decode(file["content"]).decode() == CONTENT
    assert b'"attachments"' in forms.encoded(LETTER, sendgrid.body, pool="")
    assert b'"attachments"' not in forms.encoded(replace(LETTER, attachments=()), sendgrid.body, pool="")
    assert b"funnel.csv" in forms.encoded(LETTER, sendgrid.body, pool=""), "no form is remembered for files"


def test_the_file_is_handed_to_whatever_anymail_carries_it_with():
    for carrier in carriers.CARRIERS:
        message = anymail_sending._message(carrier, LETTER)
        assert [(name, kind) for name, _, kind in message.attachments] == [("funnel.csv", "text/csv")], carrier.name
