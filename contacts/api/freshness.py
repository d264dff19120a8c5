"""ETags: whether somebody has the answer already, and whether what they change is what they read.

An ETag is a hash of the answer, and an answer that somebody has is not sent again. A view that gives one of its own
names the revision of a draft: `"7"` becomes `"7-<hash>"`. Only the revision counts for `If-Match`, since what else is
in the answer (whether it is live, what is wrong with it) may change without anybody writing the draft.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import parse_etags
from drf_spectacular.utils import OpenApiParameter
from rest_framework import exceptions
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

IF_MATCH = OpenApiParameter(
    "If-Match",
    location=OpenApiParameter.HEADER,
    description="the ETag that the write was made from, or of a draft its revision; 412 where it is old",
)


class Stale(exceptions.APIException):
    """412."""

    status_code = HTTPStatus.PRECONDITION_FAILED
    default_detail = "It was changed since you read it. Read it again, then write."
    default_code = "stale"


def answered(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """With an ETag, or 304 without a body where the one who asks has just this answer."""
    if not isinstance(response, HttpResponse):  # a file that is made while it is sent
        return response
    if response.has_header("ETag"):
        response["ETag"] = f"{response['ETag'][:-1]}-{_of(response.content)[1:]}"
    if request.method != "GET" or response.status_code != HTTPStatus.OK:
        return response
    if not response.has_header("ETag"):
        response["ETag"] = _of(response.content)
    having = [tag.removeprefix("W/") for tag in parse_etags(request.headers.get("If-None-Match", ""))]
    if response["ETag"] in having or "*" in having:
        return HttpResponse(status=HTTPStatus.NOT_MODIFIED, headers={"ETag": response["ETag"]})
    return response


def check_match(request: Request, now: object) -> None:
    """Raises Stale where `If-Match` names another answer than `now`, the data of what a `GET` would answer."""
    expected = parse_etags(request.headers.get("If-Match", ""))
    if expected and "*" not in expected and _of(JSONRenderer().render(now)) not in expected:
        raise Stale


def check_revision(request: Request, revision: int | None) -> None:
    """Raises Stale where `If-Match` names other revisions than this one, the draft's (None: there is no draft)."""
    expected = _revisions(request.headers.get("If-Match", ""))
    if expected is not None and (revision is None or str(revision) not in expected):
        raise Stale


def _revisions(header: str) -> Collection[str] | None:
    """None where any will do. A number without quotes is one, too; a proxy that compresses makes an ETag weak."""
    tags = [each.strip().removeprefix("W/").strip('"').partition("-")[0] for each in header.split(",")]
    return None if tags in ([""], ["*"]) else tags


def _of(content: bytes) -> str:
    return f'"{hashlib.blake2b(content, digest_size=16).hexdigest()}"'
