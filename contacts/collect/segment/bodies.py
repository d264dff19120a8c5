"""The bytes of a request of the tracking API, whatever the client calls them, and never more than are allowed.

Clients send JSON; as `application/json`, as `text/plain` (what a browser may send to another origin without asking
first) or, from old libraries, labelled as a form. Any of them may be gzip: some say so in `Content-Encoding`, some do
not, so the first bytes decide. No JSON text begins with the two bytes that begin a gzip file. What is unpacked is
counted while it is unpacked, so that a small file that stands for a big one is given up early.
"""

from __future__ import annotations

import zlib

from django.http import HttpRequest, UnreadablePostError

from contacts.problems import BadRequest, TooLarge

LARGEST = 500 * 1024  # bytes, unpacked; Segment's limit of a batch

MOST_MEMBERS = 16  # of a gzip file: clients send one, and each costs a copy of the rest

_GZIP = b"\x1f\x8b"
_GZIP_WINDOW = 16 + zlib.MAX_WBITS
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def read(request: HttpRequest) -> bytes:
    """The unpacked body. Raises TooLarge (413), or BadRequest (400) where it cannot be read or unpacked."""
    try:
        body = request.read(LARGEST + 1)
    except (UnreadablePostError, ValueError) as error:  # ValueError: a Content-Length that is not a number
        raise BadRequest("The body could not be read.") from error
    if len(body) > LARGEST:
        raise TooLarge
    return unpack(body).removeprefix(_BYTE_ORDER_MARK)


def unpack(body: bytes) -> bytes:
    """What a gzip file of one or several members holds; anything else as it is. Raises TooLarge, BadRequest."""
    if not body.startswith(_GZIP):
        return body
    unpacked = b""
    for _ in range(MOST_MEMBERS):
        if not body.startswith(_GZIP):
            break
        stream = zlib.decompressobj(_GZIP_WINDOW)
        try:
            unpacked += stream.decompress(body, LARGEST + 1 - len(unpacked))
        except zlib.error as error:
            raise BadRequest("The body is not a sound gzip file.") from error
        if len(unpacked) > LARGEST:
            raise TooLarge
        if not stream.eof:
            raise BadRequest("The gzip file ends too early.")
        body = stream.unused_data
    if body:
        raise BadRequest("The gzip file is followed by something else, or has too many members.")
    return unpacked
