"""A letter as the bytes of a mail (RFC 5322, MIME), for providers that take nothing else.

The lines are written here: the standard library folds a long word, such as the link of `List-Unsubscribe`, by encoding
it, and then nobody finds the link. The text and the HTML are base64, so every line is short and ASCII."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from datetime import datetime
from email.utils import format_datetime

from delivery.providers.base import Letter
from delivery.providers.letters import LONGEST_HEADER, Unsendable

WIDTH = 76
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")  # RFC 5322: a phrase that needs no quotation marks
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_FILE_TYPE = re.compile(r"[a-z]+/[a-z0-9.+-]+")
_WORD_BYTES = 42  # of an encoded word, which may have 75 characters


def message(letter: Letter, *, now: datetime) -> bytes:
    """The mail, with CRLF at the end of each line. `letter` is a checked one (`letters.checked`). Raises Unsendable."""
    boundary = f"=_{letter.mid}"
    headers = {
        "Date": format_datetime(now),
        "From": _mailbox(letter.from_name, letter.from_address),
        "To": letter.to_address,
        "Subject": _unstructured(letter.subject or "(no subject)", taken=len("Subject: ")),
        "Message-ID": f"<{letter.mid}@{letter.from_address.rpartition('@')[2]}>",
        "MIME-Version": "1.0",
    }
    for name, value in letter.headers.items():
        if name.lower() in {known.lower() for known in headers}:
            raise Unsendable("a header that every mail has once already")
        headers[name] = _unstructured(value, taken=len(name) + 2)
    lines = [f"{name}: {value}" for name, value in headers.items()]
    lines += _with_files(letter, boundary) if letter.attachments else _words(letter, boundary)
    return ("\r\n".join(lines) + "\r\n").encode("utf-8")


def _with_files(letter: Letter, boundary: str) -> Iterator[str]:
    mixed = f"=_files_{letter.mid}"
    yield f'Content-Type: multipart/mixed; boundary="{mixed}"'
    yield ""
    yield f"--{mixed}"
    yield from _words(letter, boundary)
    for file in letter.attachments:
        if not _FILE_NAME.fullmatch(file.name) or not _FILE_TYPE.fullmatch(file.content_type):
            raise Unsendable("a file whose name no header may hold")
        yield f"--{mixed}"
        disposition = f'Content-Disposition: attachment; filename="{file.name}"'
        yield from _part(file.content_type, file.text, disposition)
    yield f"--{mixed}--"


def _words(letter: Letter, boundary: str) -> Iterator[str]:
    if not letter.html:
        yield from _part("text/plain", letter.text or " ")
        return
    yield f'Content-Type: multipart/alternative; boundary="{boundary}"'
    yield ""
    yield f"--{boundary}"
    yield from _part("text/plain", letter.text or " ")
    yield f"--{boundary}"
    yield from _part("text/html", letter.html)
    yield f"--{boundary}--"


def _part(kind: str, text: str, *more: str) -> Iterator[str]:
    yield f"Content-Type: {kind}; charset=utf-8"
    yield from more
    yield "Content-Transfer-Encoding: base64"
    yield ""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")
    encoded = base64.b64encode(lines.encode("utf-8", "replace")).decode("ascii")
    for start in range(0, len(encoded), WIDTH):
        yield encoded[start : start + WIDTH]


def _mailbox(name: str, address: str) -> str:
    if not name:
        return address
    if not name.isascii() or "=?" in name or len(name) > WIDTH - len("From: "):
        shown = _encoded(name, taken=len("From: "))
    elif _ATOMS.fullmatch(name):
        shown = name
    else:
        shown = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"{shown}\r\n <{address}>" if len(shown) + len(address) > WIDTH - 9 else f"{shown} <{address}>"


def _unstructured(text: str, *, taken: int) -> str:
    """A text as it stands in a header, folded. What is ASCII stays as it is, unless it looks like something encoded or
    is one endless word."""
    words = text.split(" ")
    if not text.isascii() or "=?" in text or max(map(len, words)) > LONGEST_HEADER - taken:
        return _encoded(text, taken=taken)
    lines, line = [], words[0]
    for word in words[1:]:
        if word and line.strip() and taken + len(line) + 1 + len(word) > WIDTH:
            lines.append(line)
            line, taken = f" {word}", 0
        else:
            line += f" {word}"
    return "\r\n".join([*lines, line])


def _encoded(text: str, *, taken: int) -> str:
    """As encoded words (RFC 2047), cut between characters, each on a line of its own."""
    words, piece, room = [], b"", max(_WORD_BYTES - taken, 12)
    for character in text:
        written = character.encode("utf-8")
        if len(piece) + len(written) > room:
            words.append(piece)
            piece, room = b"", _WORD_BYTES
        piece += written
    words.append(piece)
    return "\r\n ".join(f"=?utf-8?b?{base64.b64encode(word).decode('ascii')}?=" for word in words)
