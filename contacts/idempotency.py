"""Requests that may be sent again: an `Idempotency-Key`, and what was answered when it was said first.

A row says that a key of the API said this key. It is written in the transaction of the work (`transactions.opening`),
so one is never there without the other, and of two who say it at once the constraint lets one work: the other waits for
that commit. The answer follows when it is made; until then, or where its process died, the row says only that the work
is done. Answers of requests that were refused are not kept: they changed nothing, and may be tried again.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

from django.db import DatabaseError, OperationalError, connection, transaction
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from rest_framework import exceptions

from contacts import chaos, transactions
from contacts.faults import Fault
from contacts.problems import BadRequest
from contacts.transactions import sqlstate

log = logging.getLogger(__name__)

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
LIFETIME = timedelta(hours=24)
LONGEST_KEY = 255
LARGEST_ANSWER = 256 * 1024  # bytes
UNDER_WAY = timedelta(seconds=60)  # so long may work be committed and its answer not made: no request lives longer
PATIENCE = 2.0  # seconds for which a second request waits for the answer of the first
STEP = 0.05
PATTERN = "[!-~]([ -~]*[!-~])?"
_KEY = re.compile(PATTERN, re.ASCII)
_LOCK_NOT_AVAILABLE = "55P03"


class Repeated(exceptions.APIException):
    """409: this key was said before, and there is no answer to repeat."""

    status_code = HTTPStatus.CONFLICT
    default_code = "repeated"

    def __init__(self, detail: str, *, wait: int | None = None) -> None:
        super().__init__(detail)
        if wait is not None:
            self.wait = wait  # seconds, for Retry-After


OTHER = "This Idempotency-Key was said with another request. Use a new key for a new request."
WORKING = "The first request with this Idempotency-Key is still being answered."
LOST = (
    "This request was carried out before, and will not be again; its answer was lost, or was too large or too secret "
    "to keep. Look at what it made."
)


@dataclass(frozen=True)
class Answer:
    """What was answered the first time."""

    status: int
    content_type: str
    body: bytes

    def as_response(self) -> HttpResponse:
        return HttpResponse(self.body, status=self.status, content_type=self.content_type, headers={REPLAYED: "true"})


@dataclass
class Said:
    """A request with an `Idempotency-Key`, while it is answered. `key_hash`: the key itself may be anything, also
    somebody's address, so nobody keeps it. `is_known`: it is a repetition, and `answer` what the first one was
    answered, if that is known."""

    api_key_id: int
    key_hash: str
    route: str
    body_hash: bytes
    is_written: bool = False
    is_known: bool = False
    answer: Answer | None = None

    def write(self) -> None:
        """In the transaction of the work. Raises Repeated where somebody else was quicker."""
        try:
            with connection.cursor() as cursor:
                cursor.execute(_WRITE, [self.api_key_id, self.key_hash, self.route, self.body_hash])
                self.is_known = not cursor.rowcount
        except OperationalError as error:
            if sqlstate(error) != _LOCK_NOT_AVAILABLE:
                raise
            raise Repeated(WORKING, wait=1) from error
        if self.is_known:
            raise Repeated(WORKING, wait=1)


_said: ContextVar[Said | None] = ContextVar("the repeatable request that is answered", default=None)
_WRITE = """
    INSERT INTO idempotent_requests (api_key_id, key, route, body_hash) VALUES (%s, %s, %s, %s)
        ON CONFLICT (api_key_id, key) DO NOTHING
"""


def begin(*, api_key_id: int, given: str | None, route: str, body: Iterable[bytes]) -> None:
    """An entrance knows who asks for what. `given`: the header, or None. `body`: whatever makes another request of it.

    Returns where the work may begin. Raises BadRequest for a header that is no key, and Repeated for one that was said
    before: `answered` then has the first answer, if it is known."""
    if given is None:
        return
    if not _KEY.fullmatch(given) or len(given) > LONGEST_KEY:
        raise BadRequest(
            f"{HEADER} must have 1 to {LONGEST_KEY} printable ASCII characters.",
            [Fault("key", "is not 1 to 255 printable ASCII characters", (HEADER,))],
        )
    digest = hashlib.sha256()
    for part in body:
        digest.update(part)
    said = Said(api_key_id, hashlib.sha256(given.encode("ascii")).hexdigest(), route, digest.digest())
    _said.set(said)
    _look_up(said)
    transactions.announce(said)


def _look_up(said: Said) -> None:
    """Raises Repeated if the key was said before; waits a little for an answer that is being made."""
    patience = time.monotonic() + PATIENCE
    while (first := _first(said)) is not None:
        route, body_hash, status, content_type, answer, age = first
        if age >= LIFETIME:
            _forget(said)
            return
        said.is_known = True
        if (route, bytes(body_hash)) != (said.route, said.body_hash):
            raise Repeated(OTHER)
        if status is not None:
            said.answer = Answer(status, content_type, bytes(answer))
        if status is not None or age >= UNDER_WAY:
            raise Repeated(LOST)
        if time.monotonic() >= patience:
            raise Repeated(WORKING, wait=1)
        time.sleep(STEP)
    if said.is_known:  # the first one was refused meanwhile, and changed nothing
        raise Repeated(WORKING, wait=1)


def _first(said: Said) -> tuple[Any, ...] | None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT route, body_hash, status, content_type, answer, clock_timestamp() - made_at
              FROM idempotent_requests WHERE api_key_id = %s AND key = %s
            """,
            [said.api_key_id, said.key_hash],
        )
        return cursor.fetchone()


def _forget(said: Said) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM idempotent_requests WHERE api_key_id = %s AND key = %s", [said.api_key_id, said.key_hash]
        )


@contextmanager
def answering() -> Iterator[Callable[[HttpResponseBase], HttpResponseBase]]:
    """Around a request; gives what turns its answer into the one that is sent."""
    try:
        yield _answered
    finally:
        _said.set(None)
        transactions.announce(None)


def _answered(response: HttpResponseBase) -> HttpResponseBase:
    said = _said.get()
    if said is None:
        return response
    if said.is_known:
        return _again(said, response)
    transactions.announce(None)
    if HTTPStatus.OK <= response.status_code < HTTPStatus.MULTIPLE_CHOICES:
        chaos.point("idempotency.committed")
        _keep(said, response)
    elif response.status_code < HTTPStatus.INTERNAL_SERVER_ERROR and said.is_written:
        _forget(said)
    return response


def _again(said: Said, response: HttpResponseBase) -> HttpResponseBase:
    """The first answer instead of this one, if there is one by now."""
    if said.answer is None and response.status_code == HTTPStatus.CONFLICT:
        with suppress(Repeated):
            _look_up(said)
    return response if said.answer is None else said.answer.as_response()


def _keep(said: Said, response: HttpResponseBase) -> None:
    """What is answered must not depend on it: the work is done."""
    body = response.content if isinstance(response, HttpResponse) else None
    kept: list[Any] = [None, "", None]
    is_secret = "no-store" in response.headers.get("Cache-Control", "")  # it is shown once
    if body is not None and len(body) <= LARGEST_ANSWER and not is_secret:
        kept = [response.status_code, response.headers.get("Content-Type", ""), body]
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                """
                INSERT INTO idempotent_requests AS r (api_key_id, key, route, body_hash, status, content_type, answer)
                VALUES (%s, %s, %s, %s, %s, %s, %s)
                    ON CONFLICT (api_key_id, key) DO UPDATE
                   SET status = EXCLUDED.status, content_type = EXCLUDED.content_type, answer = EXCLUDED.answer
                 WHERE r.status IS NULL AND r.route = EXCLUDED.route AND r.body_hash = EXCLUDED.body_hash
                """,
                [said.api_key_id, said.key_hash, said.route, said.body_hash, *kept],
            )
    except DatabaseError as error:
        log.warning("an answer to be repeated could not be kept: %s", type(error.__cause__ or error).__name__)


def prune(*, now: datetime, limit: int) -> bool:
    """Forget what is older than a day; whether there may be more."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            DELETE FROM idempotent_requests WHERE id IN (
                   SELECT id FROM idempotent_requests WHERE made_at <= %s ORDER BY made_at LIMIT %s
                      FOR UPDATE SKIP LOCKED)
            """,
            [now - LIFETIME, limit],
        )
        return cursor.rowcount == limit


# the busiest ones, whose answers say numbers and places, and nothing of anybody
_IMPERSONAL = ["POST /api/v1/events", "POST /api/v1/contacts/bulk"]


def blank_of(contact_ids: Collection[int]) -> int:
    """Drop the answers that name one of these contacts, in the caller's transaction, and say how many. That the
    requests were carried out stays known."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT public_id::text FROM contacts WHERE id = ANY(%(ids)s)
             UNION SELECT value FROM contact_identities WHERE contact_id = ANY(%(ids)s)
             UNION SELECT name FROM contacts c, LATERAL unnest(ARRAY[c.email, c.external_id, c.phone]) AS name
             WHERE c.id = ANY(%(ids)s) AND name <> ''
            """,
            {"ids": list(contact_ids)},
        )
        names = [json.dumps(name, ensure_ascii=False)[1:-1].encode() for (name,) in cursor.fetchall()]
        cursor.execute(
            """
            UPDATE idempotent_requests SET status = NULL, content_type = '', answer = NULL
             WHERE answer IS NOT NULL AND route <> ALL(%s)
               AND EXISTS (SELECT FROM unnest(%s::bytea[]) AS name WHERE position(name IN answer) > 0)
            """,
            [_IMPERSONAL, names],
        )
        return cursor.rowcount
