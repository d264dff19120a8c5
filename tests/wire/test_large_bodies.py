"""Bodies that are far too large, or stand for something far too large: refused in words, in constant memory, while
everybody else is answered. What is sent is made while it is sent; nothing is as large as it says."""

from __future__ import annotations

import json
import socket
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from django.contrib.auth import get_user_model
from django.contrib.sessions.backends.db import SessionStore

from contacts.models import ImportRun
from tests.contacts.collect.segment import make_write_key
from tests.contacts.conftest import make_key
from tests.running_web import Web, running_web

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(180)]

GIGABYTE = 1024**3
PIECE = b'{"events":"' + b"x" * (256 * 1024 - 11)
MORE_MEMORY = 96 * 1024 * 1024  # bytes: one body of the largest batch, twice; far below what is sent
CHUNKED = {"Transfer-Encoding": "chunked"}
COLUMNS = 1_000_000


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    with running_web(tmp_path, first_port=18_600) as web:
        yield web


def send(web: Web, path: str, headers: dict[str, str], pieces: Iterable[bytes]) -> tuple[int, str, int]:
    """The status, the text, and how many bytes were taken: sending ends as soon as there is an answer."""
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    sent, chunked = 0, headers.get("Transfer-Encoding") == "chunked"
    with socket.create_connection(("127.0.0.1", web.port), timeout=30) as connection:
        connection.sendall(f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n{head}\r\n".encode())
        try:
            for piece in pieces:
                connection.sendall(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
                sent += len(piece)
            if chunked:
                connection.sendall(b"0\r\n\r\n")
        except OSError:
            pass  # it was refused meanwhile
        answer = b""
        try:
            while more := connection.recv(64 * 1024):
                answer += more
        except ConnectionResetError:
            pass
    status, _, text = answer.partition(b"\r\n\r\n")
    assert status, "there was no answer"
    return int(status.split()[1]), text.decode(), sent


def gigabyte() -> Iterator[bytes]:
    for _ in range(GIGABYTE // len(PIECE)):
        yield PIECE


def bomb(megabytes: int) -> bytes:
    """A gzip file of a JSON body that is so large."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    packed = [packer.compress(b'{"batch":[], "x":"')]
    packed += [packer.compress(b"x" * 1024 * 1024) for _ in range(megabytes)]
    return b"".join([*packed, packer.compress(b'"}'), packer.flush()])


def as_staff() -> dict[str, str]:
    """The cookie of somebody who may import, and the token of the form."""
    somebody = get_user_model().objects.create_superuser("ada", password="a long enough password")
    session = SessionStore()
    session.update({
        "_auth_user_id": str(somebody.pk),
        "_auth_user_backend": "django.contrib.auth.backends.ModelBackend",
        "_auth_user_hash": somebody.get_session_auth_hash(),
    })  # fmt: skip
    session.create()
    token = "t" * 32
    return {"Cookie": f"sessionid={session.session_key}; csrftoken={token}", "X-CSRFToken": token}


def test_what_is_far_too_large_is_refused_in_constant_memory(web: Web) -> None:
    api, write = make_key("events:write"), make_write_key("server")
    keyed = {"Authorization": f"Bearer {api}", "Content-Type": "application/json"}
    of_segment = {"Authorization": f"Bearer {write}", "Content-Type": "application/json"}
    alive: Callable[[], int] = lambda: web.request(  # noqa: E731
        "POST",
        "/api/v1/events",
        json.dumps({"events": [{"type": "x", "contact": {"external_id": "u"}}]}).encode(),
        **{name.replace("-", "_"): value for name, value in keyed.items()},
    )[0]
    for _ in range(8):
        assert alive() == 202  # both workers have loaded what they need
    before = web.memory()

    packed = bomb(20)
    assert len(packed) < 100_000
    deep = zlib.compress(packed, 9, 16 + zlib.MAX_WBITS)
    for path in ("/v1/batch", "/v1/track", "/v1/import", "/v1/p"):
        for body in (packed, deep):
            headers = {**of_segment, "Content-Encoding": "gzip", "Content-Length": str(len(body))}
            status, text, _ = send(web, path, headers, [body])
            assert status in {400, 413} and json.loads(text)["message"], (path, status, text)
    headers = {**keyed, "Content-Encoding": "gzip", "Content-Length": str(len(packed))}
    assert send(web, "/api/v1/events", headers, [packed])[0] in {400, 413, 415}, "this route unpacks nothing"

    for path, said in (
        ("/api/v1/events", keyed),
        ("/v1/batch", of_segment),
        ("/v1/track", of_segment),
        ("/webhooks/sandbox/", {"Content-Type": "application/json"}),
        ("/api/v1/contacts/bulk", keyed),
        ("/u/token", {"Content-Type": "application/x-www-form-urlencoded"}),
    ):
        for framing in (CHUNKED, {"Content-Length": str(GIGABYTE)}):
            status, text, sent = send(web, path, {**said, **framing}, gigabyte())
            assert status == 413, (path, framing, status, text)
            assert text.strip(), (path, framing, "in words")
            assert sent < 64 * 1024 * 1024, (path, framing, "it need not be sent to its end")
            assert alive() == 202
    assert web.memory() - before < MORE_MEMORY, [before, web.memory()]


def test_a_body_in_chunks_is_a_body(web: Web) -> None:
    key = make_key("events:write")
    said = {"Authorization": f"Bearer {key}", "Content-Type": "application/json", **CHUNKED}
    body = json.dumps({"events": [{"type": "x", "contact": {"external_id": f"u{n}"}} for n in range(900)]}).encode()
    status, text, _ = send(web, "/api/v1/events", said, [body[:10], body[10:40_000], body[40_000:]])
    assert (status, json.loads(text)["accepted"]) == (202, 900)


def test_files_with_a_million_columns_are_refused_in_constant_memory(web: Web) -> None:
    staff, key = as_staff(), make_key("contacts:write", "contacts:read")
    header = ",".join(f"c{number}" for number in range(COLUMNS)).encode() + b"\n" + b"," * (COLUMNS - 1) + b"\n"
    form = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\nContent-Type: text/csv\r\n\r\n'
    for _ in range(4):
        assert web.request("GET", "/admin/contacts/importrun/add/", Cookie=staff["Cookie"])[0] == 200
    before = web.memory()

    keyed = {"Authorization": f"Bearer {key}", "Content-Type": "text/csv", "Content-Length": str(len(header))}
    status, text, _ = send(web, "/api/v1/imports", keyed, [header])
    assert (status, "columns" in json.loads(text)["detail"]) == (400, True), text
    assert not ImportRun.objects.exists()

    whole = form + header + b"\r\n--x--\r\n"
    posted = {**staff, "Content-Type": "multipart/form-data; boundary=x", "Content-Length": str(len(whole))}
    status, text, _ = send(web, "/admin/contacts/importrun/add/", posted, [whole])
    assert status in {302, 422}, text
    if status == 302:  # kept, and the next page says why it cannot be read
        run = ImportRun.objects.get()
        status, page = web.request("GET", f"/admin/contacts/importrun/{run.pk}/mapping/", Cookie=staff["Cookie"])
        assert status == 200 and b"columns" in page and len(page) < 1_000_000
    assert web.memory() - before < MORE_MEMORY, [before, web.memory()]


def test_a_gigabyte_that_is_no_file_of_contacts_is_not_imported(web: Web) -> None:
    """A file may be large, and is read in pieces, but not if nobody says how large."""
    key, staff = make_key("contacts:write"), as_staff()
    keyed = {"Authorization": f"Bearer {key}", "Content-Type": "text/csv"}
    assert web.request("GET", "/admin/contacts/importrun/add/", Cookie=staff["Cookie"])[0] == 200
    before = web.memory()
    status, text, sent = send(web, "/api/v1/imports", {**keyed, **CHUNKED}, gigabyte())
    assert (status, sent < 64 * 1024 * 1024) == (413, True), text
    too_much = {**keyed, "Content-Length": str(5 * GIGABYTE)}
    status, text, sent = send(web, "/api/v1/imports", too_much, gigabyte())
    assert (status, sent < 64 * 1024 * 1024) == (413, True), text
    posted = {**staff, "Content-Type": "multipart/form-data; boundary=x", "Content-Length": str(5 * GIGABYTE)}
    status, text, sent = send(web, "/admin/contacts/importrun/add/", posted, gigabyte())
    assert (status, sent < 64 * 1024 * 1024) == (413, True), text
    assert not ImportRun.objects.exists()
    assert web.memory() - before < MORE_MEMORY, [before, web.memory()]
