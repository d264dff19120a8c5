"""Reading a mail as a strict stranger does: the rules of RFC 5322, 2369 and 8058 that it has to keep to."""

from __future__ import annotations

import re
from email import message_from_bytes, policy
from email.message import EmailMessage

ONCE = ("Date", "From", "To", "Subject", "Message-ID", "MIME-Version")


def read(data: bytes) -> EmailMessage:
    """The mail; asserts that it is well-formed."""
    assert data.count(b"\n") == data.count(b"\r\n") == data.count(b"\r"), "every line ends with CRLF"
    lines = data.split(b"\r\n")
    assert max(map(len, lines)) <= 998
    head = data[: data.index(b"\r\n\r\n")]
    assert max(map(len, head.split(b"\r\n"))) <= 998
    for line in head.split(b"\r\n"):
        assert line.strip(), "no line of a header is blank"
        assert re.match(rb"[!-9;-~]+:|[ \t]", line), line
    assert b"\x00" not in data
    mail = message_from_bytes(data, policy=policy.default)
    assert isinstance(mail, EmailMessage)
    for name in ONCE:
        assert len(mail.get_all(name, [])) == 1, name
    for name in mail:
        for header in mail.get_all(name):
            assert not header.defects, (name, header.defects)
    for part in mail.walk():
        assert not part.defects, part.defects
    assert re.fullmatch(r"<[^<>\s@]+@[^<>\s@]+>", mail["Message-ID"])
    assert mail["Date"].datetime.tzinfo is not None
    assert len(mail["From"].addresses) == len(mail["To"].addresses) == 1
    if "List-Unsubscribe" in mail:
        assert re.fullmatch(r"(<(https|mailto):[^<>\s]+>(, *)?)+", str(mail["List-Unsubscribe"])), "RFC 2369"
        assert b"\r\nList-Unsubscribe: <https:" in b"\r\n" + head, "RFC 8058: the link stands there as it is"
        assert str(mail["List-Unsubscribe-Post"]) == "List-Unsubscribe=One-Click"
    return mail
