"""What stands before Django and looks at how long a body is: too long is refused before a byte of it is read, and one
that comes in chunks, whose length nobody says, is collected first. Django takes a body in chunks for an empty one."""

from __future__ import annotations

import json
from collections.abc import Iterable
from http import HTTPStatus
from tempfile import SpooledTemporaryFile
from typing import IO
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from django.conf import settings

from contacts import problems
from contacts.importing.sources import LARGEST as LARGEST_FILE

IN_MEMORY = 64 * 1024  # of a body in chunks; more of it goes to the disk
PIECE = 64 * 1024
AROUND_A_FILE = 64 * 1024  # what a form has beside it
FILES = frozenset({"/api/v1/imports", "/admin/contacts/importrun/add"})

_SAID = {
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is larger than this address takes.",
    HTTPStatus.BAD_REQUEST: "The body could not be read.",
}


class _Refused(Exception):
    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status)
        self.status = status


def measured(application: WSGIApplication) -> WSGIApplication:
    """The application behind the limits: DATA_UPLOAD_MAX_MEMORY_SIZE, or LARGEST_FILE for addresses that take files
    and say how long they are."""

    def answer(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        try:
            collected = _collect(environ)
        except _Refused as refused:
            return _refuse(environ, start, refused.status)
        if collected is None:
            return application(environ, start)
        with collected:  # the views of Django read bodies before they answer
            environ["wsgi.input"] = collected
            return application(environ, start)

    return answer


def _collect(environ: WSGIEnvironment) -> IO[bytes] | None:
    """A body in chunks, as a file whose length is in the environment; None for any other."""
    most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    if "chunked" not in environ.get("HTTP_TRANSFER_ENCODING", "").lower():
        if environ.get("PATH_INFO", "").rstrip("/") in FILES:
            most = LARGEST_FILE + AROUND_A_FILE
        said = environ.get("CONTENT_LENGTH") or "0"
        if said.isascii() and said.isdigit() and int(said) > most:
            raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        return None
    collected: IO[bytes] = SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115  (closed by whoever asked for it)
    try:
        _copy(environ["wsgi.input"], collected, most)
    except BaseException:
        collected.close()
        raise
    environ["CONTENT_LENGTH"] = str(collected.tell())
    collected.seek(0)
    return collected


def _copy(source: IO[bytes], target: IO[bytes], most: int) -> None:
    try:
        while piece := source.read(PIECE):
            target.write(piece)
            if target.tell() > most:
                raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    except OSError as error:  # its chunks are none, or the sender fell silent
        raise _Refused(HTTPStatus.BAD_REQUEST) from error


def _refuse(environ: WSGIEnvironment, start: StartResponse, status: HTTPStatus) -> Iterable[bytes]:
    """In the shape that this part of the house gives its errors."""
    path, text = environ.get("PATH_INFO", ""), _SAID[status]
    kind, body = "text/plain; charset=utf-8", text + "\n"
    if path.startswith("/api/"):
        kind, body = problems.CONTENT_TYPE, json.dumps(problems.body(status, text))
    elif path.startswith("/v1/"):
        kind, body = "application/json", json.dumps({"code": status.phrase.lower().replace(" ", "_"), "message": text})
    content = body.encode()
    headers = [("Content-Type", kind), ("Content-Length", str(len(content))), ("X-Content-Type-Options", "nosniff")]
    if path.startswith("/v1/"):
        headers.append(("Access-Control-Allow-Origin", "*"))
    start(f"{status.value} {status.phrase}", headers)
    return [content]
