"""What a letter has to keep to before a provider's own rules begin: nobody writes a second header into a mail through
somebody's name, and an address is written so that every server reads it. Pure."""

from __future__ import annotations

import re
from dataclasses import replace

from contacts.identifiers import canonical_email
from delivery.providers.base import Letter

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")  # CR, LF and NUL among them
_HEADER_NAME = re.compile("[!-9;-~]{1,76}")  # RFC 5322: printable, no colon
LONGEST_HEADER = 990  # of a line's 998, with what folding adds
LONGEST_NAME = 200


class Unsendable(ValueError):
    """This letter can never be sent; the words say why, without anything personal."""


def checked(letter: Letter) -> Letter:
    """The letter with whatever could break a header made harmless in names and subject, and with the domain of its
    addresses in ASCII. Raises Unsendable for a header or an address that cannot be what was meant."""
    for name, value in letter.headers.items():
        if not _HEADER_NAME.fullmatch(name) or _CONTROL.search(value) or len(value) > LONGEST_HEADER:
            raise Unsendable("a header holds what no header may hold")
    return replace(
        letter,
        to_address=_address(letter.to_address),
        from_address=_address(letter.from_address),
        from_name=" ".join(one_line(letter.from_name).split())[:LONGEST_NAME].strip(),
        subject=one_line(letter.subject),
    )


def plain_name(name: str) -> str:
    """A name without what providers take for the end of one: some refuse these, some send to two."""
    return " ".join(re.sub(r'[;,<>"\\]', " ", one_line(name)).split())


def one_line(text: str) -> str:
    """Control characters and ends of lines become spaces; lone surrogates, which nothing can encode, go."""
    return _CONTROL.sub(" ", text).encode("utf-8", "ignore").decode("utf-8").strip()


def _address(address: str) -> str:
    local, at, domain = address.rpartition("@")
    if not (local and at and domain) or _CONTROL.search(address) or re.search(r'[\s<>,;"()\[\]\\]', address):
        raise Unsendable("not an address")
    return f"{local}@{canonical_email(f'x@{domain}').removeprefix('x@')}"
